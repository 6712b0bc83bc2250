//! What generated persons are called and where they live: one vocabulary for development, one that is held back for the
//! assertions, and what stays the same in a language: labels, salutations, closings.

/// Names and places of one language.
pub(crate) struct Words {
    pub(crate) given: &'static [&'static str],
    pub(crate) family: &'static [&'static str],
    /// Streets as they are called in this language, type and all.
    pub(crate) streets: &'static [&'static str],
    pub(crate) cities: &'static [&'static str],
}

/// What a language says around its persons.
pub(crate) struct Language {
    pub(crate) code: &'static str,
    pub(crate) development: Words,
    pub held_back: Words,
    pub(crate) months: [&'static str; 12],
    /// Before a date of birth.
    pub(crate) born: &'static [&'static str],
    /// `{}` is the name.
    pub(crate) dear: &'static [&'static str],
    pub(crate) closing: &'static [&'static str],
    /// `{s}` street, `{h}` house number, `{p}` postal code, `{c}` city.
    pub(crate) address: &'static [&'static str],
    /// `#` is a digit, `A` a letter.
    pub(crate) postal: &'static [&'static str],
    /// Labels of a form: name, address, phone.
    pub(crate) labels: [&'static str; 3],
    pub(crate) phone: &'static [&'static str],
}

macro_rules! words {
    ($given:expr, $family:expr, $streets:expr, $cities:expr) => {
        Words { given: &$given, family: &$family, streets: &$streets, cities: &$cities }
    };
}

pub(crate) static LANGUAGES: [Language; 10] = [
    Language {
        code: "en-US",
        development: words!(
            ["James", "Mary", "Linda", "Robert"],
            ["Walker", "Johnson", "O'Brien", "Lopez"],
            ["Maple Street", "Oak Ave", "Sunset Blvd", "Old Mill Rd"],
            ["Springfield, IL", "Austin, TX", "San Jose, CA"]
        ),
        held_back: words!(
            ["Walter", "Deborah", "Tamika", "Earl", "Maddison"],
            ["Hutchinson", "McAllister", "Pruitt", "Yazzie", "Van Buren"],
            ["Birchwood Lane", "N Harrison St", "Cedar Creek Drive", "Kessler Court", "Whitfield Pkwy"],
            ["Boise, ID", "Fort Wayne, IN", "Chapel Hill, NC", "St. Paul, MN"]
        ),
        months: [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ],
        born: &["Date of birth", "DOB", "Born", "Birthday", "birth_date", "dateOfBirth"],
        dear: &["Dear Mr. {f}", "Dear {g}", "Hi {g}", "Dear Ms. {f}", "Hello {g} {f}"],
        closing: &["Best regards", "Sincerely", "Kind regards", "Thanks", "Yours truly"],
        address: &["{h} {s}, {c} {p}", "{h} {s}\n{c} {p}", "{h} {s}, Apt {h}\n{c} {p}"],
        postal: &["#####", "#####-####"],
        labels: ["Name", "Address", "Phone"],
        phone: &["(415) 555-####", "+1 212-555-####", "312-555-####"],
    },
    Language {
        code: "en-GB",
        development: words!(
            ["Oliver", "Emily", "Harry"],
            ["Smith", "Taylor", "Davies"],
            ["High Street", "Station Road", "Church Lane"],
            ["London", "Leeds", "Bristol"]
        ),
        held_back: words!(
            ["Nigel", "Imogen", "Rhys", "Siobhan"],
            ["Featherstone", "Ashworth-Bell", "Llewellyn", "Okafor"],
            ["Wharf Close", "Kingsley Gardens", "Albion Terrace", "Mill Hill Crescent"],
            ["Shrewsbury", "Aberystwyth", "Milton Keynes"]
        ),
        months: [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ],
        born: &["Date of Birth", "D.O.B.", "born on", "DoB"],
        dear: &["Dear Mrs {f}", "Dear Dr {f}", "Dear {g}", "Hello {g}"],
        closing: &["Yours sincerely", "Kind regards", "Yours faithfully", "Many thanks"],
        address: &["{h} {s}, {c} {p}", "{h} {s}\n{c}\n{p}", "Flat 3, {h} {s}, {c}, {p}"],
        postal: &["SW#A #AA", "LS# #AA", "M## #AA", "EC#A #AA"],
        labels: ["Full name", "Postal address", "Telephone"],
        phone: &["+44 20 79## ####", "020 79## ####"],
    },
    Language {
        code: "de",
        development: words!(
            ["Anna", "Thomas", "Jürgen"],
            ["Müller", "Schmidt", "Weiß"],
            ["Hauptstraße", "Bahnhofstr.", "Lindenweg"],
            ["Berlin", "Hamburg", "München"]
        ),
        held_back: words!(
            ["Heike", "Torsten", "Käthe", "Hans-Peter", "Gisela"],
            ["Oberländer", "von Stetten", "Krüger-Haas", "Achternbusch", "Zimmermann"],
            ["Goethestraße", "Am Alten Markt", "Kastanienallee", "Rosenweg", "Schillerplatz", "Ringstr."],
            ["Tübingen", "Görlitz", "Bad Homburg", "Neustadt an der Weinstraße"]
        ),
        months: [
            "Januar",
            "Februar",
            "März",
            "April",
            "Mai",
            "Juni",
            "Juli",
            "August",
            "September",
            "Oktober",
            "November",
            "Dezember",
        ],
        born: &["Geburtsdatum", "geboren am", "geb. am", "Geb.-Datum"],
        dear: &[
            "Sehr geehrte Frau {f}",
            "Sehr geehrter Herr {f}",
            "Liebe {g}",
            "Hallo {g}",
            "Sehr geehrter Herr Dr. {f}",
        ],
        closing: &["Mit freundlichen Grüßen", "Viele Grüße", "Beste Grüße", "Herzliche Grüße"],
        address: &["{s} {h}, {p} {c}", "{s} {h}\n{p} {c}", "{s} {h}a\nD-{p} {c}"],
        postal: &["1####", "7####", "0####"],
        labels: ["Name", "Anschrift", "Telefon"],
        phone: &["+49 30 #### ####", "030 #### ####", "+49 171 #######"],
    },
    Language {
        code: "fr",
        development: words!(
            ["Marie", "Jean", "Élodie"],
            ["Dupont", "Lefèvre", "Moreau"],
            ["rue de la Paix", "avenue Victor Hugo", "place du Marché"],
            ["Paris", "Lyon", "Marseille"]
        ),
        held_back: words!(
            ["Thierry", "Océane", "Jean-Baptiste", "Solène"],
            ["Charpentier", "de Villiers", "Guérin", "Boulanger"],
            [
                "rue des Lilas",
                "boulevard Saint-Michel",
                "chemin du Moulin",
                "impasse des Acacias",
                "allée Jean Moulin"
            ],
            ["Clermont-Ferrand", "Aix-en-Provence", "Nîmes"]
        ),
        months: [
            "janvier",
            "février",
            "mars",
            "avril",
            "mai",
            "juin",
            "juillet",
            "août",
            "septembre",
            "octobre",
            "novembre",
            "décembre",
        ],
        born: &["Date de naissance", "née le", "né le", "date_naissance"],
        dear: &["Cher Monsieur {f}", "Chère Madame {f}", "Bonjour {g}", "Chère {g}"],
        closing: &["Cordialement", "Bien cordialement", "Sincères salutations", "Bien à vous"],
        address: &["{h} {s}, {p} {c}", "{h} {s}\n{p} {c}", "{h} bis {s}, {p} {c}"],
        postal: &["75###", "63###", "13###"],
        labels: ["Nom", "Adresse", "Téléphone"],
        phone: &["+33 1 ## ## ## ##", "01 ## ## ## ##"],
    },
    Language {
        code: "es",
        development: words!(
            ["María", "José", "Carmen"],
            ["García López", "Fernández", "Núñez"],
            ["Calle Mayor", "Avenida de la Constitución", "Plaza España"],
            ["Madrid", "Sevilla", "Valencia"]
        ),
        held_back: words!(
            ["Íñigo", "Rocío", "Ramón", "Montserrat"],
            ["Echeverría", "de la Fuente", "Castaño Gil", "Peñalver"],
            [
                "Calle de Alcalá",
                "Paseo de Gracia",
                "Avda. de Andalucía",
                "C/ San Vicente",
                "Plaza del Carmen"
            ],
            ["Zaragoza", "San Sebastián", "Alcalá de Henares"]
        ),
        months: [
            "enero",
            "febrero",
            "marzo",
            "abril",
            "mayo",
            "junio",
            "julio",
            "agosto",
            "septiembre",
            "octubre",
            "noviembre",
            "diciembre",
        ],
        born: &["Fecha de nacimiento", "nacido el", "nacida el", "fecha_nacimiento"],
        dear: &["Estimado Sr. {f}", "Estimada Sra. {f}", "Querida {g}", "Hola {g}"],
        closing: &["Atentamente", "Saludos cordiales", "Un saludo", "Saludos"],
        address: &["{s}, {h}, {p} {c}", "{s} {h}, {p} {c}", "{s}, {h}, 3º B\n{p} {c}"],
        postal: &["28###", "41###"],
        labels: ["Nombre", "Dirección", "Teléfono"],
        phone: &["+34 91# ### ###", "+34 6## ## ## ##"],
    },
    Language {
        code: "it",
        development: words!(
            ["Marco", "Giulia", "Francesca"],
            ["Rossi", "Bianchi", "De Luca"],
            ["Via Roma", "Piazza Garibaldi", "Corso Italia"],
            ["Milano", "Roma", "Torino"]
        ),
        held_back: words!(
            ["Ludovica", "Gennaro", "Niccolò", "Ornella"],
            ["Santangelo", "Della Valle", "D'Amico", "Brambilla"],
            ["Via Giuseppe Verdi", "Viale dei Tigli", "Largo Augusto", "Via San Martino", "Piazza del Duomo"],
            ["Reggio Emilia", "Forlì", "L'Aquila"]
        ),
        months: [
            "gennaio",
            "febbraio",
            "marzo",
            "aprile",
            "maggio",
            "giugno",
            "luglio",
            "agosto",
            "settembre",
            "ottobre",
            "novembre",
            "dicembre",
        ],
        born: &["Data di nascita", "nato il", "nata il", "data_nascita"],
        dear: &["Gentile Sig. {f}", "Egregio Dott. {f}", "Cara {g}", "Ciao {g}"],
        closing: &["Cordiali saluti", "Distinti saluti", "Un cordiale saluto", "Saluti"],
        address: &["{s}, {h}, {p} {c}", "{s} {h}\n{p} {c} (MI)", "{s} {h}, {p} {c}"],
        postal: &["20###", "00###"],
        labels: ["Nome e cognome", "Indirizzo", "Telefono"],
        phone: &["+39 02 #### ####", "+39 33# ### ####"],
    },
    Language {
        code: "nl",
        development: words!(
            ["Jan", "Sanne", "Pieter"],
            ["de Vries", "Jansen", "van den Berg"],
            ["Dorpsstraat", "Keizersgracht", "Stationsweg"],
            ["Amsterdam", "Utrecht", "Rotterdam"]
        ),
        held_back: words!(
            ["Maartje", "Joost", "Wouter", "Annelies"],
            ["Hoekstra", "van 't Hof", "ter Horst", "Vermeulen"],
            ["Lange Voorhout", "Beethovenlaan", "Oude Markt", "Prinsengracht", "Molenstraat"],
            ["Den Haag", "Bergen op Zoom", "Leeuwarden"]
        ),
        months: [
            "januari",
            "februari",
            "maart",
            "april",
            "mei",
            "juni",
            "juli",
            "augustus",
            "september",
            "oktober",
            "november",
            "december",
        ],
        born: &["Geboortedatum", "geboren op", "geboorte_datum"],
        dear: &["Geachte heer {f}", "Geachte mevrouw {f}", "Beste {g}", "Hallo {g}"],
        closing: &["Met vriendelijke groet", "Hartelijke groeten", "Met vriendelijke groeten", "Groetjes"],
        address: &["{s} {h}, {p} {c}", "{s} {h}\n{p}  {c}", "{s} {h}-2, {p} {c}"],
        postal: &["1### AB", "3### KL"],
        labels: ["Naam", "Adres", "Telefoon"],
        phone: &["+31 20 ### ####", "+31 6 ########"],
    },
    Language {
        code: "pt",
        development: words!(
            ["João", "Ana", "Beatriz"],
            ["Silva", "dos Santos", "Oliveira"],
            ["Rua Augusta", "Avenida da Liberdade", "Travessa do Carmo"],
            ["Lisboa", "Porto", "Coimbra"]
        ),
        held_back: words!(
            ["Gonçalo", "Leonor", "Thiago", "Mafalda"],
            ["Figueiredo", "da Conceição", "Magalhães", "Teixeira Pinto"],
            ["Rua das Flores", "Praça do Comércio", "Largo do Rato", "Av. Almirante Reis", "Rua do Ouro"],
            ["Viana do Castelo", "Évora", "Setúbal"]
        ),
        months: [
            "janeiro",
            "fevereiro",
            "março",
            "abril",
            "maio",
            "junho",
            "julho",
            "agosto",
            "setembro",
            "outubro",
            "novembro",
            "dezembro",
        ],
        born: &["Data de nascimento", "nascido em", "nascida a", "data_nascimento"],
        dear: &["Prezado Sr. {f}", "Exma. Sra. {f}", "Cara {g}", "Olá {g}"],
        closing: &["Atenciosamente", "Com os melhores cumprimentos", "Cumprimentos", "Abraços"],
        address: &["{s}, {h}, {p} {c}", "{s} {h}, {p} {c}", "{s}, n.º {h}\n{p} {c}"],
        postal: &["1###-###", "4###-###"],
        labels: ["Nome completo", "Morada", "Telefone"],
        phone: &["+351 21# ### ###", "+351 91# ### ###"],
    },
    Language {
        code: "sv",
        development: words!(
            ["Erik", "Åsa", "Karin"],
            ["Andersson", "Lindström", "Öberg"],
            ["Storgatan", "Drottninggatan", "Kungsvägen"],
            ["Stockholm", "Göteborg", "Malmö"]
        ),
        held_back: words!(
            ["Gunnar", "Linnéa", "Torbjörn", "Ingela"],
            ["Bergqvist", "Hägglund", "af Klercker", "Sjöström"],
            ["Vasagatan", "Björkvägen", "Götgatan", "Skolgränd", "Norra Esplanaden"],
            ["Örebro", "Umeå", "Jönköping"]
        ),
        months: [
            "januari",
            "februari",
            "mars",
            "april",
            "maj",
            "juni",
            "juli",
            "augusti",
            "september",
            "oktober",
            "november",
            "december",
        ],
        born: &["Födelsedatum", "född den", "född"],
        dear: &["Hej {g}", "Bästa {g}", "Kära {g}"],
        closing: &["Med vänliga hälsningar", "Vänliga hälsningar", "Hälsningar"],
        address: &["{s} {h}, {p} {c}", "{s} {h}\n{p} {c}", "{s} {h} B\nSE-{p} {c}"],
        postal: &["1## ##", "4## ##"],
        labels: ["Namn", "Adress", "Telefon"],
        phone: &["+46 8 ### ## ##", "+46 70 ### ## ##"],
    },
    Language {
        code: "pl",
        development: words!(
            ["Piotr", "Katarzyna", "Łukasz"],
            ["Kowalski", "Wiśniewska", "Wójcik"],
            ["ul. Marszałkowska", "al. Jerozolimskie", "ul. Długa"],
            ["Warszawa", "Kraków", "Gdańsk"]
        ),
        held_back: words!(
            ["Zbigniew", "Małgorzata", "Świętosława", "Bożena"],
            ["Szczepański", "Brzęczyszczykiewicz", "Nowak-Zięba", "Łęcka"],
            ["ul. Mickiewicza", "os. Słoneczne", "ul. 3 Maja", "al. Niepodległości", "pl. Wolności"],
            ["Bielsko-Biała", "Łódź", "Zielona Góra"]
        ),
        months: [
            "stycznia",
            "lutego",
            "marca",
            "kwietnia",
            "maja",
            "czerwca",
            "lipca",
            "sierpnia",
            "września",
            "października",
            "listopada",
            "grudnia",
        ],
        born: &["Data urodzenia", "urodzony", "ur.", "data_urodzenia"],
        dear: &["Szanowny Panie {f}", "Szanowna Pani {f}", "Cześć {g}", "Droga {g}"],
        closing: &["Z poważaniem", "Pozdrawiam", "Serdecznie pozdrawiam", "Z wyrazami szacunku"],
        address: &["{s} {h}, {p} {c}", "{s} {h}/4\n{p} {c}", "{s} {h} m. 3, {p} {c}"],
        postal: &["0#-###", "3#-###"],
        labels: ["Imię i nazwisko", "Adres", "Telefon"],
        phone: &["+48 22 ### ## ##", "+48 5## ### ###"],
    },
];
