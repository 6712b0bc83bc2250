//! Cursors: where a listing goes on, opaque to callers, signed, and good only for the tenant and question that they were given for.

use axum::http::StatusCode;
use certus_protocol::ids::Tenant;
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Problem;

const TAG_BYTES: usize = 16;

/// A cursor's text.
pub(super) fn seal(
    key: &[u8; 32],
    tenant: &Tenant,
    question: &str,
    position: &impl Serialize,
) -> Result<String, Problem> {
    let body = serde_json::to_vec(position).map_err(|error| Problem::internal(&error))?;
    let tag = tag(key, tenant, question, &body);
    Ok(BASE64URL_NOPAD.encode(&[&tag[..], &body].concat()))
}

/// What a cursor says.
pub(super) fn open<T: DeserializeOwned>(
    key: &[u8; 32],
    tenant: &Tenant,
    question: &str,
    text: &str,
) -> Result<T, Problem> {
    let wrong = || {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "the cursor is not one that was given for this question; leave it out to begin anew",
        )
    };
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| wrong())?;
    let (given, body) = bytes.split_first_chunk::<TAG_BYTES>().ok_or_else(wrong)?;
    if blake3::hash(given) != blake3::hash(&tag(key, tenant, question, body)) {
        return Err(wrong());
    }
    serde_json::from_slice(body).map_err(|_| wrong())
}

fn tag(key: &[u8; 32], tenant: &Tenant, question: &str, body: &[u8]) -> [u8; TAG_BYTES] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for field in [tenant.as_str().as_bytes(), question.as_bytes(), body] {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field);
    }
    let hash = hasher.finalize();
    std::array::from_fn(|i| hash.as_bytes()[i])
}
