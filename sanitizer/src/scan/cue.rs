//! Words that say that something of a person follows, and what is looked for there.

use super::person::{self, Place};
use super::position::{self, Wanted};
use super::{Search, date, finder, place, table};
use crate::rules::{Finder, Rule};
use crate::work;

/// Bytes around a word that are looked at, roughly.
const REACH_BYTES: usize = 32;

/// The rules of what tells of persons.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Persons {
    pub(super) name: Option<u16>,
    pub(super) address: Option<u16>,
    pub(super) birth: Option<u16>,
    pub(super) position: Option<u16>,
}

impl Persons {
    pub(super) fn new(rules: &[Rule]) -> Self {
        Self {
            name: finder(rules, Finder::Person),
            address: finder(rules, Finder::Address),
            birth: finder(rules, Finder::Birth),
            position: finder(rules, Finder::Position),
        }
    }

    /// Whether any of them is in use.
    pub(super) fn any(&self) -> bool {
        self.name.or(self.address).or(self.birth).or(self.position).is_some()
    }
}

/// What a word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cue {
    /// `name` and what closes it: what stands before decides.
    Named,
    /// A field for names of this place, the word is its name or the end of it.
    Field(Place),
    /// `N` of a vCard.
    Card,
    /// `@author`, `written by`, `©`: the name follows.
    By(Place),
    Greeting,
    Title,
    Closing,
    Born,
    /// An ending of streets' names, and the space before a house's number.
    StreetEnding,
    /// A beginning of streets' names.
    Street,
    Box,
    AddressField,
    AddressCard,
    Position(Wanted),
    /// A degree sign and a digit.
    Degrees,
    /// A column's name and a separator.
    Column,
}

/// Words in lower case, by what they say.
pub(super) const CUES: &[(Cue, &[&str])] = &[
    (Cue::Named, &["name:", "name\"", "name'", "name=", "name>", "name =", "name**"]),
    (
        Cue::Field(Place::Person),
        &[
            "surname",
            "vorname",
            "nachname",
            "familienname",
            "prénom",
            "apellido",
            "cognome",
            "voornaam",
            "achternaam",
            "förnamn",
            "efternamn",
            "sobrenome",
            "nome completo",
            "nombre:",
            "naam:",
            "namn:",
            "nom:",
            "nome:",
            "nazwisko",
            "emergency_contact",
            "emergency contact",
            "cardholder",
            "patient:",
            "patient\"",
            "\nfn:",
        ],
    ),
    (
        Cue::Field(Place::Somebody),
        &[
            "customer",
            "contact:",
            "contact\"",
            "contact_person",
            "author",
            "user=",
            "user\"",
            "assignee",
            "reporter",
            "recipient",
            "maintainer",
        ],
    ),
    (Cue::Card, &["\nn:"]),
    (Cue::By(Place::Person), &["@author"]),
    (Cue::By(Place::Somebody), &["written by", "created by", "maintained by", "copyright"]),
    (
        Cue::Greeting,
        &[
            "dear ",
            "hello ",
            "hallo ",
            "hej ",
            "hi ",
            "sehr geehrte ",
            "sehr geehrter ",
            "liebe ",
            "lieber ",
            "cher ",
            "chère ",
            "bonjour ",
            "estimado ",
            "estimada ",
            "querido ",
            "querida ",
            "hola ",
            "gentile ",
            "egregio ",
            "cara ",
            "caro ",
            "ciao ",
            "geachte ",
            "beste ",
            "prezado ",
            "prezada ",
            "exma. ",
            "exmo. ",
            "olá ",
            "bästa ",
            "kära ",
            "kære ",
            "szanowny ",
            "szanowna ",
            "cześć ",
            "droga ",
            "drogi ",
        ],
    ),
    (
        Cue::Title,
        &[
            "mr. ",
            "mrs. ",
            "mrs ",
            "ms. ",
            "dr. ",
            "prof. ",
            "herr ",
            "herrn ",
            "frau ",
            "monsieur ",
            "madame ",
            "mme ",
            "sra. ",
            "sig. ",
            "dott. ",
            "mevrouw ",
        ],
    ),
    (
        Cue::Closing,
        &[
            "regards",
            "sincerely",
            "faithfully",
            "yours truly",
            "best wishes",
            "cheers",
            "thanks",
            "grüßen",
            "grüße",
            "cordialement",
            "salutations",
            "bien à vous",
            "atentamente",
            "cordiales",
            "saludo",
            "saludos",
            "saluti",
            "saluto",
            "groet",
            "groeten",
            "groetjes",
            "atenciosamente",
            "cumprimentos",
            "abraços",
            "hälsningar",
            "hilsen",
            "terveisin",
            "poważaniem",
            "pozdrawiam",
            "szacunku",
        ],
    ),
    (
        Cue::Born,
        &[
            "birth",
            "born",
            "dob",
            "d.o.b",
            "\nbday",
            "geburts",
            "geboren",
            "geb. am",
            "geb.-",
            "naissance",
            "née le",
            "né le",
            "nacimiento",
            "nacido",
            "nacida",
            "nascita",
            "nato il",
            "nata il",
            "geboorte",
            "nascimento",
            "nascido",
            "nascida",
            "född",
            "födelse",
            "fødsel",
            "født",
            "syntym",
            "urodz",
            " ur. ",
            "\nur.",
        ],
    ),
    (
        Cue::StreetEnding,
        &[
            "straße ", "strasse ", "str. ", "weg ", "allee ", "platz ", "gasse ", "straat ", "laan ",
            "gracht ", "plein ", "gatan ", "vägen ", "gränd ", "vej ", "gade ", "veien ", "katu ",
        ],
    ),
    (
        Cue::Street,
        &[
            "rue ",
            "avenue ",
            "boulevard ",
            "place ",
            "chemin ",
            "impasse ",
            "allée ",
            "quai ",
            "calle ",
            "avenida ",
            "avda. ",
            "plaza ",
            "paseo ",
            "c/ ",
            "via ",
            "viale ",
            "piazza ",
            "corso ",
            "largo ",
            "vicolo ",
            "rua ",
            "praça ",
            "travessa ",
            "av. ",
            "ul. ",
            "al. ",
            "os. ",
            "pl. ",
        ],
    ),
    (Cue::Box, &["p.o. box", "po box", "postfach", "postbus"]),
    (
        Cue::AddressField,
        &[
            "address",
            "street",
            "anschrift",
            "adresse",
            "direcci",
            "indirizzo",
            "adres:",
            "morada",
            "endereço",
            "adress:",
        ],
    ),
    (Cue::AddressCard, &["adr;", "adr:"]),
    (
        Cue::Position(Wanted::One),
        &["latitude", "longitude", "lat\"", "lon\"", "lng\"", "lat:", "lon:", "lng:", "lat=", "lon=", "lng="],
    ),
    (
        Cue::Position(Wanted::Pairs),
        &["coordinates", "coords", "geo:", "point(", "point (", "gps", "location", "position", "polygon"],
    ),
    (Cue::Degrees, &["°0", "°1", "°2", "°3", "°4", "°5", "°6", "°7", "°8", "°9", "° "]),
    (
        Cue::Column,
        &[
            "name,",
            "name;",
            "name\t",
            "name|",
            "name |",
            "name\",",
            "name\";",
            "naam,",
            "naam;",
            "email,",
            "email;",
            "birthdate,",
            "birthdate;",
        ],
    ),
];

impl Cue {
    /// Whether its words count inside other words as well, as in `username:` and `Hauptstraße`.
    pub(super) fn is_inside(self) -> bool {
        matches!(self, Self::Named | Self::StreetEnding | Self::AddressField | Self::Column)
    }

    /// Looks for what the word, from `start` to `end`, announces.
    pub(super) fn look(self, search: &mut Search<'_>, rules: &Persons, start: usize, end: usize) {
        work::count(REACH_BYTES);
        let text = search.text;
        let byte = |at: Option<usize>| at.map_or(b'\n', |at| text[at]);
        let before = byte(start.checked_sub(1));
        let inner = |before: u8| before.is_ascii_lowercase() || before >= 0x80;
        // A word within another one, as `dob` in `adobe`: only a capital begins one there.
        let within = inner(before) && !text[start].is_ascii_uppercase();
        if self == Self::Column {
            return table::columns(search, start);
        }
        if let Some(rule) = rules.name {
            match self {
                Self::Named => {
                    if let Some(place) = person::named(text, start) {
                        person::in_field(search, rule, start + "name".len(), place);
                    }
                }
                Self::Field(place) if !within => {
                    person::in_field(search, rule, letters_end(text, start, end), place)
                }
                Self::By(Place::Somebody) if search.scanner.thorough => {
                    person::following(search, rule, end, Place::Somebody)
                }
                Self::By(Place::Person) => person::following(search, rule, end, Place::Person),
                Self::Card => person::in_card(search, rule, end),
                Self::Greeting => person::greeted(search, rule, start, end),
                Self::Title if !within => person::entitled(search, rule, start, end),
                Self::Closing => person::signed(search, rule, end),
                _ => {}
            }
        }
        if let Some(rule) = rules.address {
            match self {
                Self::StreetEnding => place::ending(search, rule, start, end - 1),
                Self::Street => place::street(search, rule, start, end),
                Self::Box => place::boxed(search, rule, start, end),
                Self::AddressField => place::in_field(search, rule, letters_end(text, start, end)),
                Self::AddressCard => place::in_card(search, rule, start, end),
                _ => {}
            }
        }
        match (self, rules.birth, rules.position) {
            (Self::Born, Some(rule), _) if !within => date::born(search, rule, end),
            (Self::Position(wanted), _, Some(rule)) if !within => {
                position::located(search, rule, end, wanted)
            }
            (Self::Degrees, _, Some(rule)) => position::degrees(search, rule, start),
            _ => {}
        }
    }
}

/// Where the letters of a cue end that may hold what closes a field's name.
fn letters_end(text: &[u8], start: usize, end: usize) -> usize {
    let closing = text[start..end].iter().rev().take_while(|b| matches!(b, b':' | b'"' | b'=')).count();
    end - closing
}
