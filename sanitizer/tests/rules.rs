//! Every rule against its own examples, made from its format and a seed, and against its counter-examples; every
//! national id against a generated population and against single-digit corruption.

use certus_sanitizer::rules::{self, RawRule};
use certus_sanitizer::template::{self, Piece};
use certus_sanitizer::validate::Check;
use certus_sanitizer::{Format, Policy, Profile, PseudonymKey, Sanitizer};

/// A small generator of numbers (splitmix64), so that a seed says everything.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn digits(&mut self, n: usize) -> String {
        (0..n).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }
}

fn expand(format: &str, random: &mut Random) -> String {
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

/// Completes a number by trying every ending until its check holds.
fn completed(check: Check, endings: impl IntoIterator<Item = String>) -> String {
    endings.into_iter().find(|whole| check.holds(whole.as_bytes())).expect("one ending holds")
}

#[expect(clippy::too_many_lines, reason = "one arm a generator")]
fn made(name: &str, random: &mut Random) -> String {
    match name {
        "name" => format!(
            "{} {}",
            random.pick(&["Ada", "Grace", "Jürgen", "Zoë"]),
            random.pick(&["Example", "Müller", "O'Neil"])
        ),
        "card" => {
            let scheme = random.pick(&["4", "51", "55", "2221"]);
            let head = format!("{scheme}{}", random.digits(15 - scheme.len()));
            completed(Check::Card, (0..10).map(|d| format!("{head}{d}")))
        }
        "iban" => {
            let body = random.digits(18);
            completed(Check::Iban, (2..99).map(|k| format!("DE{k:02}{body}")))
        }
        "us-ssn" => {
            format!("{:03}-{:02}-{:04}", 1 + random.below(665), 1 + random.below(99), 1 + random.below(9999))
        }
        "gb-nino" => format!(
            "{}{}{}",
            random.pick(&["AB", "CE", "JG", "WM"]),
            random.digits(6),
            random.pick(&["A", "B", "C", "D"])
        ),
        "fr-nir" => {
            let department = random.pick(&["75", "13", "2A", "2B", "97"]);
            let body = format!(
                "{}{:02}{:02}{department}{}",
                1 + random.below(2),
                random.below(100),
                1 + random.below(12),
                random.digits(6)
            );
            completed(Check::FrNir, (1..98).map(|k| format!("{body}{k:02}")))
        }
        "de-steuer-id" => loop {
            let mut order: Vec<u64> = (0..10).collect();
            order.sort_by_key(|_| random.next());
            order[9] = order[random.below(9) as usize];
            order.sort_by_key(|_| random.next());
            if order[0] != 0 {
                let body: String = order.iter().map(u64::to_string).collect();
                break completed(Check::DeSteuerId, (0..10).map(|d| format!("{body}{d}")));
            }
        },
        "es-dni" => {
            let head = random.pick(&["", "X", "Y", "Z"]);
            let body = random.digits(if head.is_empty() { 8 } else { 7 });
            completed(Check::EsDni, ('A'..='Z').map(|c| format!("{head}{body}{c}")))
        }
        "it-cf" => {
            let body = format!(
                "RSSMRA{:02}{}{:02}H{}",
                random.below(100),
                random.pick(&["A", "T", "E"]),
                1 + random.below(28),
                random.digits(3)
            );
            completed(Check::ItCf, ('A'..='Z').map(|c| format!("{body}{c}")))
        }
        "nl-bsn" => loop {
            let body = random.digits(8);
            let found =
                (0..10).map(|d| format!("{body}{d}")).find(|whole| Check::NlBsn.holds(whole.as_bytes()));
            if let Some(found) = found {
                break found;
            }
        },
        "pl-pesel" => {
            let body = format!(
                "{:02}{:02}{:02}{}",
                random.below(100),
                1 + random.below(12),
                1 + random.below(28),
                random.digits(4)
            );
            completed(Check::PlPesel, (0..10).map(|d| format!("{body}{d}")))
        }
        other => panic!("no generator @{other}"),
    }
}

fn sanitizer(profile: Profile) -> Sanitizer {
    Sanitizer::new(&Policy::from(profile), PseudonymKey::from_bytes([7; 32])).expect("the tables are right")
}

fn examples(rule: &RawRule) -> Vec<String> {
    let body = rule.body.as_deref().unwrap_or_default();
    // What a body gives has no checksum: such rules bring their own examples.
    let prefixes = if rule.check == Check::None { &rule.prefix[..] } else { &[] };
    let tokens = prefixes.iter().map(|prefix| format!("'key ' '{prefix}' {body} ' end'"));
    let keyed = rule.words.iter().map(|word| format!("'{word}_key = \"' {body} '\"'"));
    tokens.chain(keyed).chain(rule.examples.iter().cloned()).collect()
}

#[test]
fn there_are_enough_rules_and_each_has_examples() {
    let all = rules::raw().expect("the tables are right");
    assert!(all.len() >= 800, "{}", all.len());
    for (_, rule) in &all {
        assert!(!examples(rule).is_empty(), "{}: no example", rule.id);
        let made = rule.body.is_some();
        assert!(!rule.negatives.is_empty() || made, "{}: no counter-example", rule.id);
    }
}

#[test]
fn every_rule_finds_its_examples() {
    let sanitizer = sanitizer(Profile::HighRecall);
    let mut missed = Vec::new();
    for (kind, rule) in rules::raw().expect("the tables are right") {
        // Seeded by its name, so that no other rule changes what this one is tried on.
        let mut random =
            Random(rule.id.bytes().fold(1, |seed, byte| seed * 31 % 1_000_003 + u64::from(byte)));
        for format in examples(&rule) {
            for _ in 0..20 {
                let text = expand(&format, &mut random);
                let found = sanitizer.scan(text.as_bytes(), Format::Text).expect("scans");
                // Where forms overlap, another rule may name the value; what counts is that it goes.
                if !found.iter().any(|f| f.kind == kind) {
                    missed.push(format!(
                        "{}: {text:?} gave {:?}",
                        rule.id,
                        found.iter().map(|f| &f.rule).collect::<Vec<_>>()
                    ));
                    break;
                }
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// Counter-examples that follow from a rule's form: nothing behind its prefix, a first run that is one character too short, a
/// value without its word.
fn made_negatives(rule: &RawRule, random: &mut Random) -> Vec<String> {
    let Some(body) = &rule.body else { return Vec::new() };
    let mut pieces = template::parse(body).expect("a format").into_iter();
    let Some(Piece::Run { alphabet, min, .. }) = pieces.next() else { return Vec::new() };
    let short = format!("{}:{}", alphabet.name, min.saturating_sub(1).max(1));
    match (rule.prefix.first(), rule.words.first()) {
        (Some(prefix), _) => {
            let cut = expand(&format!("'key {prefix}' {short} ' end'"), random);
            vec![format!("key {prefix} end"), cut]
        }
        (None, Some(word)) => {
            let cut = (pieces.len() == 0).then(|| expand(&format!("'{word}_key = \"' {short} '\"'"), random));
            cut.into_iter().chain([expand(&format!("'unnamed = \"' {body} '\"'"), random)]).collect()
        }
        (None, None) => Vec::new(),
    }
}

#[test]
fn no_rule_finds_its_counter_examples() {
    let sanitizer = sanitizer(Profile::HighRecall);
    let mut random = Random(2);
    let mut wrong = Vec::new();
    for (_, rule) in rules::raw().expect("the tables are right") {
        let mut texts = rule.negatives.clone();
        texts.extend(made_negatives(&rule, &mut random));
        for text in texts {
            let found = sanitizer.scan(text.as_bytes(), Format::Text).expect("scans");
            if found.iter().any(|finding| finding.rule == rule.id) {
                wrong.push(format!("{}: {text:?}", rule.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn check_digits_hold_for_a_population_and_notice_a_wrong_digit() {
    // How many single-digit changes an algorithm must notice: all where it has a check digit. The American and the British
    // number have none, the Spanish letter misses none, the Dutch sum none.
    let cases = [
        ("card", Check::Card, 1.0),
        ("iban", Check::Iban, 1.0),
        ("fr-nir", Check::FrNir, 1.0),
        ("de-steuer-id", Check::DeSteuerId, 1.0),
        ("es-dni", Check::EsDni, 1.0),
        ("nl-bsn", Check::NlBsn, 1.0),
        ("pl-pesel", Check::PlPesel, 1.0),
        ("it-cf", Check::ItCf, 1.0),
    ];
    let mut random = Random(3);
    for (name, check, share) in cases {
        let (mut noticed, mut changed) = (0u32, 0u32);
        for _ in 0..500 {
            let value = made(name, &mut random);
            assert!(check.holds(value.as_bytes()), "{name} {value}");
            for (at, digit) in value.bytes().enumerate().filter(|(_, b)| b.is_ascii_digit()) {
                let mut bytes = value.clone().into_bytes();
                bytes[at] = b'0' + (digit - b'0' + 1 + random.below(9) as u8) % 10;
                changed += 1;
                noticed += u32::from(!check.holds(&bytes));
            }
        }
        assert!(f64::from(noticed) >= share * f64::from(changed), "{name}: {noticed} of {changed} noticed");
    }
    for never in ["000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000"] {
        assert!(!Check::UsSsn.holds(never.as_bytes()), "{never}");
    }
    for never in ["BG123456A", "GB123456A", "DA123456A", "AO123456A", "AB123456E"] {
        assert!(!Check::GbNino.holds(never.as_bytes()), "{never}");
    }
}

#[test]
fn the_profiles_differ_as_they_say() {
    let mut random = Random(4);
    let secret = expand("'token ghp_' alnum:36", &mut random);
    let personal = expand("'mail ' lower:8 '@' lower:8 '.org'", &mut random);
    let count =
        |profile, text: &str| sanitizer(profile).scan(text.as_bytes(), Format::Text).expect("scans").len();
    assert_eq!(count(Profile::SecretsOnly, &secret), 1);
    assert_eq!(count(Profile::SecretsOnly, &personal), 0);
    assert_eq!(count(Profile::PiiOnly, &secret), 0);
    assert_eq!(count(Profile::PiiOnly, &personal), 1);
    let bare = expand("'the access code ' alnum:44", &mut random);
    assert_eq!((count(Profile::Balanced, &bare), count(Profile::HighRecall, &bare)), (0, 1));
}
