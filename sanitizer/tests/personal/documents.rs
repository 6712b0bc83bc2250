//! Documents of many kinds about made-up persons, with the span of everything that tells of them.

use std::ops::Range;

use super::vocabulary::{Language, Words};

/// A small generator of numbers (splitmix64), so that a seed says everything.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    pub(crate) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// `#` becomes a digit, `A` a letter.
    pub(crate) fn filled(&mut self, format: &str) -> String {
        let character = |c| match c {
            '#' => char::from(b'0' + self.below(10) as u8),
            'A' => char::from(b"ABDEFGHJLNPQRSTUWXYZ"[self.below(20)]),
            other => other,
        };
        format.chars().map(character).collect()
    }
}

/// What a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sort {
    Name,
    Address,
    Email,
    Phone,
    Card,
    Iban,
    Ip,
    Mac,
    NationalId,
    Birth,
    Coordinates,
}

/// A text and what in it tells of persons.
#[derive(Debug, Default)]
pub(crate) struct Labelled {
    pub(crate) text: String,
    pub(crate) spans: Vec<(Sort, Range<usize>)>,
}

impl Labelled {
    fn say(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    fn put(&mut self, sort: Sort, value: &str) -> &mut Self {
        let start = self.text.len();
        self.text.push_str(value);
        self.spans.push((sort, start..self.text.len()));
        self
    }

    /// An address is a span a line.
    fn put_lines(&mut self, value: &str, between: &str) -> &mut Self {
        for (number, line) in value.lines().enumerate() {
            if number > 0 {
                self.say(between);
            }
            self.put(Sort::Address, line);
        }
        self
    }
}

/// Somebody made up.
struct Person {
    given: String,
    family: String,
    email: String,
    address: String,
    phone: String,
    birth: String,
    born: String,
}

impl Person {
    fn new(language: &Language, words: &Words, random: &mut Random) -> Self {
        let (given, family) = (random.pick(words.given).to_owned(), random.pick(words.family).to_owned());
        let ascii = |text: &str| -> String {
            text.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_lowercase()
        };
        let email = format!(
            "{}.{}{}@{}",
            ascii(&given),
            ascii(&family),
            random.below(90),
            random.pick(&["mailbox.example.com", "posteo.example.net", "web.example.org"])
        );
        let postal = random.pick(language.postal);
        let address = random
            .pick(language.address)
            .replace("{s}", random.pick(words.streets))
            .replace("{h}", &(1 + random.below(180)).to_string())
            .replace("{p}", &random.filled(postal))
            .replace("{c}", random.pick(words.cities));
        let phone = random.pick(language.phone);
        Self {
            given,
            family,
            email,
            address,
            phone: random.filled(phone),
            birth: date(language, random),
            born: random.pick(language.born).to_owned(),
        }
    }

    fn name(&self) -> String {
        format!("{} {}", self.given, self.family)
    }

    fn line(&self) -> String {
        self.address.replace('\n', ", ")
    }
}

fn date(language: &Language, random: &mut Random) -> String {
    let (year, month, day) = (1940 + random.below(68), 1 + random.below(12), 1 + random.below(28));
    let name = language.months[month - 1];
    match (language.code, random.below(4)) {
        (_, 0) => format!("{year}-{month:02}-{day:02}"),
        ("en-US", 1) => format!("{month:02}/{day:02}/{year}"),
        ("en-US", _) => format!("{name} {day}, {year}"),
        ("en-GB", 2) => format!("{day}th {name} {year}"),
        ("de", 2) => format!("{day}. {name} {year}"),
        ("es" | "pt", 2) => format!("{day} de {name} de {year}"),
        (_, 2) => format!("{day} {name} {year}"),
        ("nl", 1) => format!("{day:02}-{month:02}-{year}"),
        ("de" | "pl", _) => format!("{day:02}.{month:02}.{year}"),
        (_, _) => format!("{day:02}/{month:02}/{year}"),
    }
}

fn luhn(random: &mut Random) -> String {
    let body = random.filled("4539###########");
    let holds = |whole: &String| {
        let sum: u32 = whole
            .bytes()
            .rev()
            .enumerate()
            .map(|(at, b)| u32::from(b - b'0') * if at % 2 == 1 { 2 } else { 1 })
            .map(|digit| digit / 10 + digit % 10)
            .sum();
        sum.is_multiple_of(10)
    };
    (0..10).map(|last| format!("{body}{last}")).find(holds).expect("one digit completes it")
}

fn iban(random: &mut Random) -> String {
    let body = random.filled("##################");
    let remainder = format!("{body}131400").bytes().fold(0u32, |r, b| (r * 10 + u32::from(b - b'0')) % 97);
    let whole = format!("DE{:02}{body}", 98 - remainder);
    if random.below(2) == 0 {
        return whole;
    }
    whole.as_bytes().chunks(4).map(|chunk| String::from_utf8_lossy(chunk)).collect::<Vec<_>>().join(" ")
}

fn national(language: &Language, random: &mut Random) -> (&'static str, String) {
    match language.code {
        "es" => {
            let body = random.filled("########");
            let number: usize = body.parse().expect("digits");
            ("DNI", format!("{body}{}", char::from(b"TRWAGMYFPDXBNJZSQVHLCKE"[number % 23])))
        }
        "pl" => {
            let body = format!(
                "{:02}{:02}{:02}{}",
                random.below(99),
                1 + random.below(12),
                1 + random.below(28),
                random.filled("####")
            );
            let weights = [1, 3, 7, 9, 1, 3, 7, 9, 1, 3];
            let sum: u32 = body.bytes().zip(weights).map(|(b, w)| u32::from(b - b'0') * w).sum();
            ("PESEL", format!("{body}{}", (10 - sum % 10) % 10))
        }
        "en-GB" => ("NI number", random.filled("JG######C")),
        _ => (
            "SSN",
            format!("{}-{}-{}", 100 + random.below(500), 10 + random.below(89), 1000 + random.below(8999)),
        ),
    }
}

fn ip(random: &mut Random) -> String {
    match random.below(5) {
        0 => random.filled("2001:db8:85a3::8a2e:37#:7###"),
        1 => random.filled("fe80::1ff:fe23:4##:890a"),
        2 => random.filled("2a02:8109:9c00:####:0:0:0:1##"),
        _ => format!(
            "{}.{}.{}.{}",
            11 + random.below(180),
            random.below(250),
            random.below(250),
            1 + random.below(250)
        ),
    }
}

fn mac(random: &mut Random) -> String {
    let format =
        random.pick(&["3c:22:fb:##:a#:##", "3C-22-FB-##-#A-##", "3c22.fb##.a#4#", "AC:DE:48:##:##:7#"]);
    // The letters of a hardware address are given, only digits are drawn.
    format.chars().map(|c| if c == '#' { char::from(b'0' + random.below(10) as u8) } else { c }).collect()
}

fn coordinates(labelled: &mut Labelled, random: &mut Random) {
    let (lat, lon) = (random.filled("4#.####4"), random.filled("1#.####7"));
    match random.below(7) {
        0 => labelled.say("location: ").put(Sort::Coordinates, &format!("{lat}, -{lon}")),
        1 => labelled
            .say("\"latitude\": ")
            .put(Sort::Coordinates, &lat)
            .say(", \"longitude\": ")
            .put(Sort::Coordinates, &format!("-{lon}")),
        2 => labelled.say("geo:").put(Sort::Coordinates, &format!("{lat},{lon}")),
        3 => labelled.say("POINT(").put(Sort::Coordinates, &format!("{lon} {lat}")).say(")"),
        4 => labelled.say("seen at ").put(Sort::Coordinates, &random.filled("4#°2#'1#.#\"N 1#°0#'3#\"E")),
        5 => labelled
            .say("{\"type\": \"Point\", \"coordinates\": [")
            .put(Sort::Coordinates, &format!("{lon}, {lat}"))
            .say("]}"),
        _ => labelled.say("GPS position ").put(Sort::Coordinates, &format!("{lat}° N, {lon}° W")),
    };
    labelled.say("\n");
}

/// One document about one or some persons.
pub(crate) fn document(language: &Language, words: &Words, kind: usize, random: &mut Random) -> Labelled {
    let person = Person::new(language, words, random);
    let other = Person::new(language, words, random);
    let mut labelled = Labelled::default();
    match kind % KINDS {
        0 => mail(&mut labelled, language, (&person, &other), random),
        1 => yaml(&mut labelled, &person, random),
        2 => json(&mut labelled, &person, random),
        3 => csv(&mut labelled, language, words, random),
        4 => xml(&mut labelled, &person),
        5 => letter(&mut labelled, language, &person, random),
        6 => log(&mut labelled, &person, random),
        7 => commit(&mut labelled, (&person, &other)),
        8 => sql(&mut labelled, language, words, random),
        9 => source(&mut labelled, (&person, &other)),
        10 => form(&mut labelled, language, &person, random),
        _ => card(&mut labelled, &person),
    }
    labelled
}

/// How many kinds of documents there are.
pub(crate) const KINDS: usize = 12;

fn mail(l: &mut Labelled, language: &Language, (from, to): (&Person, &Person), random: &mut Random) {
    l.say("From: ").put(Sort::Name, &from.name()).say(" <").put(Sort::Email, &from.email).say(">\nTo: \"");
    l.put(Sort::Name, &format!("{}, {}", to.family, to.given)).say("\" <").put(Sort::Email, &to.email);
    l.say(">\nSubject: meeting on Thursday\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n\n");
    let dear = random.pick(language.dear).replace("{g}", &to.given).replace("{f}", &to.family);
    let start =
        [to.given.as_str(), to.family.as_str()].iter().filter_map(|n| dear.find(n)).min().unwrap_or(0);
    l.say(&dear[..start])
        .put(Sort::Name, &dear[start..])
        .say(",\n\nthe build is red since Monday. I have put the log beside the report.\n\n");
    l.say(random.pick(language.closing))
        .say(random.pick(&[",\n", "\n"]))
        .put(Sort::Name, &from.name())
        .say("\n");
    l.say(language.labels[2]).say(": ").put(Sort::Phone, &from.phone).say("\n");
}

fn yaml(l: &mut Labelled, p: &Person, random: &mut Random) {
    let (first, last) = random
        .pick(&["first_name last_name", "firstName lastName", "given_name family_name"])
        .split_once(' ')
        .expect("two");
    l.say(&format!("customer:\n  id: 4711\n  {first}: ")).put(Sort::Name, &p.given);
    l.say(&format!("\n  {last}: ")).put(Sort::Name, &p.family).say("\n  email: ").put(Sort::Email, &p.email);
    l.say("\n  date_of_birth: ").put(Sort::Birth, &p.birth).say("\n  phone: \"").put(Sort::Phone, &p.phone);
    l.say("\"\n  address: \"")
        .put(Sort::Address, &p.line())
        .say("\"\n  iban: ")
        .put(Sort::Iban, &iban(random))
        .say("\n  ");
    coordinates(l, random);
}

fn json(l: &mut Labelled, p: &Person, random: &mut Random) {
    l.say("{\n  \"id\": 99,\n  \"name\": \"")
        .put(Sort::Name, &p.name())
        .say("\",\n  \"email\": \"")
        .put(Sort::Email, &p.email);
    l.say("\",\n  \"dob\": \"")
        .put(Sort::Birth, &p.birth)
        .say("\",\n  \"shippingAddress\": \"")
        .put(Sort::Address, &p.line());
    l.say("\",\n  \"card\": \"")
        .put(Sort::Card, &luhn(random))
        .say("\",\n  \"emergency_contact\": \"")
        .put(Sort::Name, &p.name());
    l.say("\",\n  \"last_ip\": \"").put(Sort::Ip, &ip(random)).say("\",\n  \"kind\": \"customer\"\n}\n");
}

fn csv(l: &mut Labelled, language: &Language, words: &Words, random: &mut Random) {
    let separator = random.pick(&[",", ";", "\t"]);
    l.say(&["id", "first_name", "last_name", "email", "birthdate", "address", "plan"].join(separator))
        .say("\n");
    for id in 0..3 {
        let p = Person::new(language, words, random);
        l.say(&format!("{}", 100 + id))
            .say(separator)
            .put(Sort::Name, &p.given)
            .say(separator)
            .put(Sort::Name, &p.family)
            .say(separator);
        l.put(Sort::Email, &p.email)
            .say(separator)
            .say("\"")
            .put(Sort::Birth, &p.birth)
            .say("\"")
            .say(separator);
        l.say("\"").put(Sort::Address, &p.line()).say("\"").say(separator).say("premium\n");
    }
}

fn xml(l: &mut Labelled, p: &Person) {
    l.say("<?xml version=\"1.0\"?>\n<contact id=\"7\">\n  <fullName>")
        .put(Sort::Name, &p.name())
        .say("</fullName>\n  <birthDate>");
    l.put(Sort::Birth, &p.birth)
        .say("</birthDate>\n  <street>")
        .put(Sort::Address, p.address.lines().next().unwrap_or(""));
    l.say("</street>\n  <phone>")
        .put(Sort::Phone, &p.phone)
        .say("</phone>\n  <author name=\"")
        .put(Sort::Name, &p.name());
    l.say("\"/>\n</contact>\n");
}

fn letter(l: &mut Labelled, language: &Language, p: &Person, random: &mut Random) {
    l.put(Sort::Name, &p.name()).say("\n").put_lines(&p.address, "\n").say("\n\n");
    let dear = random.pick(language.dear).replace("{g}", &p.given).replace("{f}", &p.family);
    let start = [p.given.as_str(), p.family.as_str()].iter().filter_map(|n| dear.find(n)).min().unwrap_or(0);
    l.say(&dear[..start]).put(Sort::Name, &dear[start..]).say(",\n\n");
    l.say(&format!("{} ", p.born))
        .put(Sort::Birth, &p.birth)
        .say("\n\nWe thank you for the Monday Morning Report and the Annual Review.\n\n");
    l.say(random.pick(language.closing)).say(",\n\n").put(Sort::Name, &p.name()).say("\n");
}

fn log(l: &mut Labelled, p: &Person, random: &mut Random) {
    l.say("2024-05-17T10:11:12Z INFO login user=\"")
        .put(Sort::Name, &p.name())
        .say("\" ip=")
        .put(Sort::Ip, &ip(random));
    l.say(" mac=").put(Sort::Mac, &mac(random)).say(" took 15 ms\n2024-05-17T10:11:13Z WARN lease ");
    l.put(Sort::Mac, &mac(random))
        .say(" for ")
        .put(Sort::Ip, &ip(random))
        .say(" expired\n2024-05-17 sent to <")
        .put(Sort::Email, &p.email)
        .say(">\n");
    coordinates(l, random);
}

fn commit(l: &mut Labelled, (p, other): (&Person, &Person)) {
    l.say("commit 3f2a\nAuthor: ").put(Sort::Name, &p.name()).say(" <").put(Sort::Email, &p.email);
    l.say(
        ">\nDate:   Fri May 17 10:11:12 2024 +0200\n\n    parser: Read Nested Lists\n\n    Signed-off-by: ",
    )
    .put(Sort::Name, &p.name());
    l.say(" <")
        .put(Sort::Email, &p.email)
        .say(">\n    Reviewed-by: ")
        .put(Sort::Name, &other.name())
        .say(" <")
        .put(Sort::Email, &other.email)
        .say(">\n");
}

fn sql(l: &mut Labelled, language: &Language, words: &Words, random: &mut Random) {
    l.say("INSERT INTO patients (id, first_name, last_name, birth_date, street, email) VALUES\n");
    for id in 0..2 {
        let p = Person::new(language, words, random);
        let quoted = |text: &str| text.replace('\'', "''");
        l.say(&format!("  ({id}, '"))
            .put(Sort::Name, &quoted(&p.given))
            .say("', '")
            .put(Sort::Name, &quoted(&p.family))
            .say("', '");
        l.put(Sort::Birth, &p.birth)
            .say("', '")
            .put(Sort::Address, &quoted(p.address.lines().next().unwrap_or("")))
            .say("', '");
        l.put(Sort::Email, &p.email).say(if id == 0 { "'),\n" } else { "');\n" });
    }
    let (label, id) = national(language, random);
    l.say(&format!("-- {label}: ")).put(Sort::NationalId, &id).say("\n");
}

fn source(l: &mut Labelled, (p, other): (&Person, &Person)) {
    l.say("/**\n * Parses Nested Lists.\n *\n * @author ")
        .put(Sort::Name, &p.name())
        .say("\n * @author ")
        .put(Sort::Name, &other.name());
    l.say(" <")
        .put(Sort::Email, &other.email)
        .say(">\n */\npublic class ListParser {\n  private String name = \"List Parser\";\n");
    l.say("  // Contact: ").put(Sort::Name, &p.name()).say(", tel. ").put(Sort::Phone, &p.phone).say("\n}\n");
}

fn form(l: &mut Labelled, language: &Language, p: &Person, random: &mut Random) {
    let [name, address, phone] = language.labels;
    l.say(&format!("{name}: "))
        .put(Sort::Name, &p.name())
        .say(&format!("\n{address}: "))
        .put(Sort::Address, &p.line());
    l.say(&format!("\n{phone}: "))
        .put(Sort::Phone, &p.phone)
        .say(&format!("\n{}: ", p.born))
        .put(Sort::Birth, &p.birth);
    let (label, id) = national(language, random);
    l.say(&format!("\n{label}: ")).put(Sort::NationalId, &id).say("\nIBAN: ").put(Sort::Iban, &iban(random));
    l.say("\nCard number: ").put(Sort::Card, &luhn(random)).say("\n");
}

fn card(l: &mut Labelled, p: &Person) {
    l.say("BEGIN:VCARD\nVERSION:4.0\nFN:")
        .put(Sort::Name, &p.name())
        .say("\nN:")
        .put(Sort::Name, &format!("{};{}", p.family, p.given));
    l.say(";;;\nBDAY:")
        .put(Sort::Birth, &p.birth)
        .say("\nTEL;TYPE=home:")
        .put(Sort::Phone, &p.phone)
        .say("\nEMAIL:")
        .put(Sort::Email, &p.email);
    l.say("\nADR;TYPE=home:;;")
        .put(Sort::Address, p.address.lines().next().unwrap_or(""))
        .say(";;;\nEND:VCARD\n");
}
