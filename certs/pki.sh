#!/usr/bin/env bash
# The PKI of a hub, for an auditor: make one with openssl alone, show one, test that it holds.
#
#   pki.sh make DIR TENANT     a CA, a hub certificate for localhost and an agent certificate of TENANT, in DIR
#   pki.sh show FILE...        subject, names, dates, usages and pin of certificates (PEM)
#   pki.sh test DIR            the chains in DIR hold, a foreign CA's do not, and keys are private
set -euo pipefail

die() { printf 'pki.sh: %s\n' "$1" >&2; exit 64; }

make() {
  local dir=$1 tenant=$2 agent
  [[ $tenant =~ ^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$ ]] || die "tenant \"$tenant\" must be 1 to 32 of a-z 0-9 -"
  [[ ! -e $dir/ca.pem ]] || die "$dir/ca.pem exists already; choose another folder"
  agent=$(openssl rand -hex 16)
  mkdir -p "$dir" && chmod 700 "$dir"
  cd "$dir"
  umask 077
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 3650 \
    -subj "/CN=Certus test CA" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
  leaf hub serverAuth "DNS:localhost,IP:127.0.0.1"
  leaf agent clientAuth "URI:spiffe://certus.local/tenant/$tenant/agent/$agent"
  printf 'made CA, hub and agent %s of tenant %s in %s\n' "$agent" "$tenant" "$dir"
}

leaf() { # name, extended usage, subject alternative names
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out "$1.pem" 2>/dev/null \
    -extfile <(printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=%s\nsubjectAltName=%s\n' "$2" "$3")
  rm "$1.csr"
}

show() {
  local file
  for file in "$@"; do
    printf '== %s\n' "$file"
    openssl x509 -in "$file" -noout -subject -issuer -serial -dates -ext subjectAltName,extendedKeyUsage,basicConstraints 2>/dev/null
    if command -v b3sum >/dev/null; then
      printf 'pin (BLAKE3 of the DER)='
      openssl x509 -in "$file" -outform DER | b3sum --no-names
    fi
  done
}

test_pki() {
  local dir=$1 foreign key
  foreign=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$foreign'" EXIT
  openssl verify -CAfile "$dir/ca.pem" -purpose sslserver "$dir/hub.pem"
  openssl verify -CAfile "$dir/ca.pem" -purpose sslclient "$dir/agent.pem"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$foreign/ca.key" -out "$foreign/ca.pem" \
    -days 1 -subj "/CN=Certus test CA" 2>/dev/null
  if openssl verify -CAfile "$foreign/ca.pem" "$dir/agent.pem" >/dev/null 2>&1; then
    die "the agent's certificate holds under a foreign CA"
  fi
  if openssl verify -CAfile "$dir/ca.pem" -purpose sslserver "$dir/agent.pem" >/dev/null 2>&1; then
    die "the agent's certificate may serve as a hub's"
  fi
  for key in "$dir"/*.key; do
    [[ $(stat -c %a "$key") == 600 ]] || die "$key is readable by others"
  done
  printf 'the chains hold, foreign ones do not, keys are private\n'
}

case ${1:-} in
  make) [[ $# == 3 ]] || die "usage: pki.sh make DIR TENANT"; make "$2" "$3" ;;
  show) [[ $# -ge 2 ]] || die "usage: pki.sh show FILE..."; shift; show "$@" ;;
  test) [[ $# == 2 ]] || die "usage: pki.sh test DIR"; test_pki "$2" ;;
  *) die "usage: pki.sh make DIR TENANT | show FILE... | test DIR" ;;
esac
