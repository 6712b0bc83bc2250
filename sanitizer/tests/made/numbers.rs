//! Values made from a seed: texts of a format, and numbers whose check digits hold.

use certus_sanitizer::template::{self, Piece};
use certus_sanitizer::validate::Check;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

#[path = "tokens.rs"]
pub(crate) mod tokens;

/// A small generator of numbers (splitmix64), so that a seed says everything.
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(crate) fn digits(&mut self, n: usize) -> String {
        (0..n).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }

    pub(crate) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }
}

pub(crate) fn expand(format: &str, random: &mut Random) -> String {
    let pieces = template::parse(format).unwrap_or_else(|error| panic!("{format}: {error}"));
    let piece = |piece: &Piece, random: &mut Random| match piece {
        Piece::Literal(text) => text.clone(),
        Piece::Run { alphabet, min, max } => {
            let characters = alphabet.characters();
            let length = min + random.below((max - min + 1) as u64) as usize;
            // Long enough runs hold a digit and a letter, as real ones do.
            let mut run: Vec<char> =
                (0..length).map(|_| characters[random.below(characters.len() as u64) as usize]).collect();
            if length >= 8 {
                for (at, sort) in [(1, '7'), (3, 'k'), (4, 'Q'), (length - 1, 'x'), (length - 2, '3')] {
                    if characters.contains(&sort) {
                        run[at] = sort;
                    }
                }
            }
            run.into_iter().collect()
        }
        Piece::Made(name) => made(name, random),
    };
    pieces.iter().map(|p| piece(p, random)).collect()
}

/// The check of this name, as rule tables write it.
pub(crate) fn check(name: &str) -> Check {
    let name: StrDeserializer<'_, Error> = name.into_deserializer();
    Check::deserialize(name).expect("a check")
}

/// Forms of numbers by the name of their check: `#` is a digit, `+` one that is not zero, `y`, `m`, `d` the two digits of a
/// year, month and day, `a` a capital; at `?` stand digits and at `@` capitals or digits that the check decides.
pub(crate) const NUMBERS: &[(&str, &str)] = &[
    ("card", "4##############?"),
    ("iban", "DE??##################"),
    ("imei", "35############?"),
    ("vin-named", "1HGCM8##@aa######"),
    ("gb-nhs", "?########?"),
    ("gb-nino", "AB######A"),
    ("gb-utr", "?#########"),
    ("gb-vat", "GB+######??"),
    ("gb-driver", "aaaaa#md#aa#aa"),
    ("ie-pps", "#######@"),
    ("fr-nir", "1ym75######??"),
    ("fr-nif", "0#########???"),
    ("fr-siren", "+#######?"),
    ("fr-vat", "FR??########?"),
    ("be-national", "ymd###??"),
    ("be-company", "0#######??"),
    ("nl-bsn", "+######??"),
    ("nl-vat", "NL########?B??"),
    ("nl-document", "aa######+"),
    ("de-steuer-id", "+#########?"),
    ("de-vat", "DE+#######?"),
    ("de-document", "LZ63##T+7?"),
    ("de-svnr", "15dmya##?"),
    ("de-kvnr", "a########?"),
    ("at-svnr", "+#??dmy"),
    ("at-vat", "ATU#######?"),
    ("at-tin", "12######?"),
    ("ch-ahv", "756#########?"),
    ("ch-uid", "CHE#######??"),
    ("lu-nin", "19ymd###??"),
    ("es-dni", "########@"),
    ("es-cif", "B#######?"),
    ("es-nuss", "28########??"),
    ("pt-nif", "2#######?"),
    ("pt-cc", "########?aa?"),
    ("it-cf", "aaaaaa##AdH###@"),
    ("it-iva", "#+#####0++?"),
    ("cy-tin", "0#######@"),
    ("gr-afm", "########?"),
    ("gr-amka", "dmy####?"),
    ("se-personal", "ymd###?"),
    ("se-company", "556######?"),
    ("no-person", "dmy1#???"),
    ("no-company", "9######??"),
    ("dk-cpr", "dmy###+"),
    ("dk-cvr", "+#####??"),
    ("fi-hetu", "dmy9##@"),
    ("fi-company", "#####???"),
    ("is-kennitala", "dmy##?9"),
    ("baltic-person", "3ymd###?"),
    ("lv-person", "dmy1###?"),
    ("pl-pesel", "ymd####?"),
    ("pl-nip", "1#######??"),
    ("pl-regon", "########?"),
    ("cz-person", "8#md##??"),
    ("cz-company", "2######?"),
    ("sk-vat", "SK+#2#####??"),
    ("hu-tin", "8#######??"),
    ("hu-taj", "########?"),
    ("hu-vat", "HU#######?"),
    ("ro-cnp", "1ymd12###?"),
    ("ro-cui", "+#######?"),
    ("bg-egn", "ymd###?"),
    ("hr-oib", "##########?"),
    ("jmbg", "dm9+#50###?"),
    ("si-tin", "+#####??"),
    ("rs-pib", "+#######?"),
    ("ua-rntrc", "#########?"),
    ("ru-inn", "+#########??"),
    ("ru-snils", "+########??"),
    ("md-idn", "1###########?"),
    ("tr-tckn", "+########??"),
    ("kz-iin", "ymd3####?"),
    ("us-ssn", "1##1#1###"),
    ("us-itin", "9##7#####"),
    ("us-ein", "12#######"),
    ("us-npi", "1########?"),
    ("us-dea", "AB######?"),
    ("us-mbi", "1EG4TE5MK7+"),
    ("us-routing", "12######?"),
    ("ca-sin", "1#######?"),
    ("ca-bn", "+#######?RT0001"),
    ("ca-health-on", "+########?"),
    ("ca-health-bc", "9#######??"),
    ("ca-health-qc", "aaaaymd##"),
    ("mx-curp", "aaaaymdHDFaaa0?"),
    ("mx-rfc", "aaaaymdaa@"),
    ("mx-nss", "+#########?"),
    ("mx-clabe", "+################?"),
    ("br-cpf", "+########??"),
    ("br-cnpj", "+#######0001??"),
    ("br-pis", "+#########?"),
    ("br-cns", "7############??"),
    ("ar-cuit", "20########?"),
    ("cl-rut", "1#######@"),
    ("co-nit", "8########?"),
    ("ec-cedula", "171######?"),
    ("pe-ruc", "10########?"),
    ("uy-ci", "1######?"),
    ("ve-rif", "V########?"),
    ("do-cedula", "001#######?"),
    ("cn-resident", "11010519ymd###@"),
    ("cn-credit-code", "91350100aaaaa####@"),
    ("hk-id", "a######@"),
    ("tw-id", "A1#######?"),
    ("jp-my-number", "+##########?"),
    ("jp-corporate", "?+###########"),
    ("kr-rrn", "ymd1#####?"),
    ("kr-brn", "123######?"),
    ("sg-nric", "S#######@"),
    ("my-nric", "ymd14####"),
    ("th-pin", "1###########?"),
    ("id-nik", "317101dmy000+"),
    ("in-aadhaar", "2##########?"),
    ("in-pan", "aaaPa###+a"),
    ("in-gstin", "27aaaPa###+a1Z@"),
    ("pk-cnic", "3###########+"),
    ("vn-mst", "0########?"),
    ("il-id", "+#######?"),
    ("za-id", "ymd####08?"),
    ("eg-national", "29+md01#####"),
    ("sa-id", "1########?"),
    ("ae-id", "78419+########?"),
    ("au-tfn", "+#######?"),
    ("au-abn", "??#########"),
    ("au-medicare", "2#######?1"),
    ("nz-ird", "1#######?"),
];

/// Bodies tried until one has check digits at all.
const ATTEMPTS_MAX: usize = 1_000;

/// A number of this name.
pub(crate) fn made(name: &str, random: &mut Random) -> String {
    if name == "name" {
        let first = random.pick(&["Ada", "Grace", "Jürgen", "Zoë"]);
        return format!("{first} {}", random.pick(&["Example", "Müller", "O'Neil"]));
    }
    if tokens::TOKENS.contains(&name) {
        return tokens::made(name, random);
    }
    let form =
        NUMBERS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no generator @{name}")).1;
    of_form(name, form, random).unwrap_or_else(|| panic!("no number @{name} of the form {form}"))
}

/// A number of this form whose check holds, if there is one.
pub(crate) fn of_form(name: &str, form: &str, random: &mut Random) -> Option<String> {
    let check = check(name);
    (0..ATTEMPTS_MAX).find_map(|_| {
        let body: Vec<char> =
            form.chars().flat_map(|sort| filled(sort, random).chars().collect::<Vec<_>>()).collect();
        decided(check, &body)
    })
}

fn filled(sort: char, random: &mut Random) -> String {
    match sort {
        '#' => random.digits(1),
        '+' => format!("{}", 1 + random.below(9)),
        'y' => format!("{:02}", random.below(50)),
        'm' => format!("{:02}", 1 + random.below(12)),
        'd' => format!("{:02}", 1 + random.below(28)),
        'a' => random.pick(&["A", "C", "E", "F", "G", "H", "J", "K", "M", "N", "P", "R"]).to_owned(),
        other => other.to_string(),
    }
}

/// The first filling of the open places with which the check holds.
fn decided(check: Check, body: &[char]) -> Option<String> {
    let Some(at) = body.iter().position(|c| matches!(c, '?' | '@')) else {
        let whole: String = body.iter().collect();
        return check.holds(whole.as_bytes()).then_some(whole);
    };
    let characters = if body[at] == '?' { "0123456789" } else { "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" };
    characters.chars().find_map(|c| {
        let mut body = body.to_vec();
        body[at] = c;
        decided(check, &body)
    })
}
