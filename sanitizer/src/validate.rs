//! Checksums: numbers that have the form of an account or an id, but not its check digits, are something else.

use serde::Deserialize;
use smallvec::SmallVec;

mod american;
mod asian;
mod eastern;
mod sums;
mod token;
mod wallet;
mod western;
mod worldwide;

pub(crate) use wallet::is_address_form;

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident = $family:ident::$function:ident,)*) => {
        /// Which checksum a value must have.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Check {
            /// None.
            #[default]
            None,
            /// 8 to 15 digits (ITU-T E.164).
            E164,
            /// 7 to 15 digits, not a date.
            Phone,
            $($(#[$doc])* $name,)*
        }

        /// The algorithm of a number, over its letters in upper case and digits; `None` for what is no such number.
        fn algorithm(check: Check) -> Option<fn(&[u8]) -> bool> {
            match check {
                Check::None | Check::E164 | Check::Phone => None,
                $(Check::$name => Some($family::$function),)*
            }
        }
    };
}

numbers! {
    /// Luhn, and the first digits of a card scheme (ISO/IEC 7812).
    Card = worldwide::card,
    /// Mod 97-10 and the country's length (ISO 13616).
    Iban = worldwide::iban,
    /// Bank code: its form (ISO 9362).
    Bic = worldwide::bic,
    /// Device: Luhn (3GPP TS 23.003).
    Imei = worldwide::imei,
    /// Vehicle: form and check character (ISO 3779).
    Vin = worldwide::vin,
    /// Vehicle: the check character where it is prescribed.
    VinNamed = worldwide::vin_named,
    /// Britain, health: modulo 11.
    GbNhs = worldwide::gb_nhs,
    /// Travel document: check digits of its machine-readable zone (ICAO 9303).
    Mrz = worldwide::mrz,
    /// United Kingdom: two letters, six digits, a letter A to D; prefixes that are never given are refused.
    GbNino = western::gb_nino,
    /// United Kingdom, taxpayer's reference: the first digit checks the other nine; a K and an office's three digits may stand around.
    GbUtr = western::gb_utr,
    /// United Kingdom, value added tax: modulo 97, or since 2009 that with 55 more or less.
    GbVat = western::gb_vat,
    /// United Kingdom, driver: surname, decade, month (plus 50 for women), day and year of birth, initials, check.
    GbDriver = western::gb_driver,
    /// Ireland: seven digits, the letter is their sum modulo 23; a second letter counts nine times.
    IePps = western::ie_pps,
    /// France, person: the key is 97 minus the number modulo 97; departments 2A and 2B count as 19 and 18.
    FrNir = western::fr_nir,
    /// France, tax: the last three digits are the others modulo 511.
    FrNif = western::fr_nif,
    /// France, company or its branch: Luhn over 9 or 14 digits.
    FrSiren = western::fr_siren,
    /// France, value added tax: a key from the company's number modulo 97.
    FrVat = western::fr_vat,
    /// Belgium, person: 97 minus the first nine digits modulo 97; a 2 is put before them for births since 2000.
    BeNational = western::be_national,
    /// Belgium, company: 97 minus the first eight digits modulo 97.
    BeCompany = western::be_company,
    /// Netherlands, person: 9·a + 8·b + … + 2·h − i is a multiple of 11.
    NlBsn = western::nl_bsn,
    /// Netherlands, value added tax: the whole modulo 97, or the old number's sum modulo 11.
    NlVat = western::nl_vat,
    /// Netherlands, passport and card: two letters, six letters or digits, a digit; no letter O.
    NlDocument = western::nl_document,
    /// Germany, tax: ISO 7064 mod 11,10; among the first ten digits one stands twice or three times, the others once at most.
    DeSteuerId = western::de_steuer_id,
    /// Germany, value added tax: ISO 7064 mod 11,10 over nine digits.
    DeVat = western::de_vat,
    /// Germany, identity card and passport: nine characters without vowels, a check digit by ICAO 9303, `D`.
    DeDocument = western::de_document,
    /// Germany, social insurance: the letter counts as two digits; cross sums of weighted digits modulo 10.
    DeSvnr = western::de_svnr,
    /// Germany, health insurance: a letter that counts as two digits, then nine; cross sums modulo 10.
    DeKvnr = western::de_kvnr,
    /// Austria, social insurance: the fourth digit checks the others; then a birthday, months 13 to 15 where it was used up.
    AtSvnr = western::at_svnr,
    /// Austria, value added tax: Luhn-like sum, 96 minus it modulo 10.
    AtVat = western::at_vat,
    /// Austria, tax: two digits of an office, Luhn over nine digits.
    AtTin = western::at_tin,
    /// Switzerland, person: 756, weights 1 and 3 modulo 10 (as EAN-13).
    ChAhv = western::ch_ahv,
    /// Switzerland, company: weights 5 4 3 2 7 6 5 4 modulo 11.
    ChUid = western::ch_uid,
    /// Luxembourg: a date, then a check digit by Luhn and one by Verhoeff, each over the first eleven.
    LuNin = western::lu_nin,
    /// Spain, person: the letter is the number modulo 23; X, Y and Z of a foreigner's count as 0, 1 and 2.
    EsDni = western::es_dni,
    /// Spain, company: Luhn over seven digits; the check is a digit or, for some forms, a letter.
    EsCif = western::es_cif,
    /// Spain, social insurance: the last two digits are the others modulo 97; short serials are joined without their zero.
    EsNuss = western::es_nuss,
    /// Portugal, tax: a sort that is given out, weights 9 to 2 modulo 11.
    PtNif = western::pt_nif,
    /// Portugal, citizen's card: Luhn with letters as 10 to 35, over twelve characters.
    PtCc = western::pt_cc,
    /// Italy, person: characters at odd places count by a table, those at even places by their rank; the sum modulo 26 is the letter.
    ItCf = western::it_codice_fiscale,
    /// Italy, company: a serial, an office's three digits, Luhn over eleven digits.
    ItIva = western::it_iva,
    /// Cyprus, tax: even places by a table, the sum modulo 26 is the letter.
    CyTin = western::cy_tin,
    /// Greece, tax: powers of two modulo 11.
    GrAfm = western::gr_afm,
    /// Greece, social insurance: a birthday, then Luhn.
    GrAmka = western::gr_amka,
    /// Sweden, person: a date, whose day is 60 more for those not registered, and Luhn over ten digits.
    SePersonal = eastern::se_personal,
    /// Sweden, company: a third digit of two or more, and Luhn.
    SeCompany = eastern::se_company,
    /// Norway, person: a birthday (40 more days or months for some), a serial by the century, two check digits modulo 11.
    NoPerson = eastern::no_person,
    /// Norway, company: weights 3 2 7 6 5 4 3 2 modulo 11.
    NoCompany = eastern::no_company,
    /// Denmark, person: a birthday; since 2007 the sum modulo 11 need not hold, so that it is not asked for.
    DkCpr = eastern::dk_cpr,
    /// Denmark, company: weights 2 7 6 5 4 3 2 1 modulo 11.
    DkCvr = eastern::dk_cvr,
    /// Finland, person: a birthday, a sign for the century, a serial from 002; the whole modulo 31 is the last character.
    FiHetu = eastern::fi_hetu,
    /// Finland, company: weights 7 9 10 5 8 4 2 modulo 11.
    FiCompany = eastern::fi_company,
    /// Iceland, person and company: a date (40 more days for companies), weights 3 2 7 6 5 4 3 2 modulo 11, the century's digit.
    IsKennitala = eastern::is_kennitala,
    /// Estonia and Lithuania, person: sex and century, a birthday, weights 1 to 9 and 1 modulo 11, then 3 to 9 and 1 to 3.
    BalticPerson = eastern::baltic_person,
    /// Latvia, person: a birthday and a sum modulo 11; since 2017 numbers begin with 32 and tell nothing.
    LvPerson = eastern::lv_person,
    /// Poland, person: weights 1 3 7 9, and a date whose month tells the century.
    PlPesel = eastern::pl_pesel,
    /// Poland, tax: weights 6 5 7 2 3 4 5 6 7 modulo 11.
    PlNip = eastern::pl_nip,
    /// Poland, company: weights 8 9 2 3 4 5 6 7 modulo 11; a branch has five more digits, the last with weights of its own.
    PlRegon = eastern::pl_regon,
    /// Czechia and Slovakia, person: a birthday (20, 50 or 70 more months), the whole a multiple of 11; nine digits before 1954.
    CzPerson = eastern::cz_person,
    /// Czechia and Slovakia, company: weights 8 to 2 modulo 11; behind a 6 another way, for persons who lack a birth number.
    CzCompany = eastern::cz_company,
    /// Slovakia, value added tax: ten digits, a multiple of 11.
    SkVat = eastern::sk_vat,
    /// Hungary, tax of persons: an 8, then places times digits modulo 11.
    HuTin = eastern::hu_tin,
    /// Hungary, social insurance: weights 3 and 7 modulo 10.
    HuTaj = eastern::hu_taj,
    /// Hungary, value added tax: weights 9 7 3 1 modulo 10.
    HuVat = eastern::hu_vat,
    /// Romania, person: sex and century, a birthday, a county, a sum modulo 11.
    RoCnp = eastern::ro_cnp,
    /// Romania, company: weights 7 5 3 2 1 7 5 3 2 from the right, times 10, modulo 11.
    RoCui = eastern::ro_cui,
    /// Bulgaria, person: a birthday (20 or 40 more months), powers of two modulo 11.
    BgEgn = eastern::bg_egn,
    /// Croatia: ISO 7064 mod 11,10.
    HrOib = eastern::hr_oib,
    /// Slovenia, Serbia, Bosnia, Montenegro, North Macedonia, person: a birthday, a region, a sum modulo 11.
    Jmbg = eastern::jmbg,
    /// Slovenia, tax: weights 8 to 2 modulo 11.
    SiTin = eastern::si_tin,
    /// Serbia, tax: ISO 7064 mod 11,10.
    RsPib = eastern::rs_pib,
    /// Ukraine, person: weights -1 5 7 9 4 6 10 5 7 modulo 11.
    UaRntrc = eastern::ua_rntrc,
    /// Russia, tax: one check digit in ten, two in twelve.
    RuInn = eastern::ru_inn,
    /// Russia, pension insurance: weights 9 to 1 modulo 101.
    RuSnils = eastern::ru_snils,
    /// Moldova: weights 7 3 1 modulo 10.
    MdIdn = eastern::md_idn,
    /// Turkey, person: two check digits modulo 10.
    TrTckn = eastern::tr_tckn,
    /// Kazakhstan: a date, weights 1 to 11 modulo 11, then 3 to 11 and 1, 2.
    KzIin = eastern::kz_iin,
    /// United States: not 000, 666 or 9xx, not 00, not 0000.
    UsSsn = american::us_ssn,
    /// United States, taxpayers without a social security number: 9xx, groups 50-65, 70-88, 90-92, 94-99.
    UsItin = american::us_itin,
    /// United States, employer: a prefix that is given out.
    UsEin = american::us_ein,
    /// United States, provider of health care: Luhn with 80840 before it.
    UsNpi = american::us_npi,
    /// United States, prescriber: two letters (or a letter and a 9), then odd places plus twice the even ones, modulo 10.
    UsDea = american::us_dea,
    /// United States, Medicare: eleven characters, each of the sort of its place; no S, L, O, I, B, Z.
    UsMbi = american::us_mbi,
    /// United States, bank: weights 3 7 1 modulo 10; the first two digits are those of a Federal Reserve district.
    UsRouting = american::us_routing,
    /// Canada, person: Luhn; the first digit is neither 0 nor 8.
    CaSin = american::ca_sin,
    /// Canada, business: Luhn over nine digits, then a program's two letters and four digits.
    CaBn = american::ca_bn,
    /// Ontario, health: Luhn over ten digits.
    CaHealthOn = american::ca_health_on,
    /// British Columbia, health: a 9, weights 2 4 8 5 10 9 7 3 modulo 11.
    CaHealthBc = american::ca_health_bc,
    /// Quebec, health: four letters of the name, a birthday (50 more months for women), two digits.
    CaHealthQc = american::ca_health_qc,
    /// Mexico, person: a form with a birthday, a sex and a state; ranks times 18 to 2 modulo 10.
    MxCurp = american::mx_curp,
    /// Mexico, taxpayer: three or four letters, a date, three characters; ranks times 13 to 2 modulo 11.
    MxRfc = american::mx_rfc,
    /// Mexico, social insurance: Luhn over eleven digits.
    MxNss = american::mx_nss,
    /// Mexico, account: weights 3 7 1, each product modulo 10.
    MxClabe = american::mx_clabe,
    /// Brazil, person: two check digits modulo 11.
    BrCpf = american::br_cpf,
    /// Brazil, company: the same with weights 2 to 9; since 2026 twelve of its characters may be letters, counted by their code.
    BrCnpj = american::br_cnpj,
    /// Brazil, worker: weights 3 2 9 8 7 6 5 4 3 2 modulo 11.
    BrPis = american::br_pis,
    /// Brazil, health: weights 15 to 1 give a multiple of 11.
    BrCns = american::br_cns,
    /// Argentina: weights 5 4 3 2 7 6 5 4 3 2 modulo 11, and a sort that is given out.
    ArCuit = american::ar_cuit,
    /// Chile: weights 2 to 7 from the right modulo 11; 10 is K.
    ClRut = american::cl_rut,
    /// Colombia: weights 3 7 13 17 19 23 29 37 41 from the right modulo 11.
    CoNit = american::co_nit,
    /// Ecuador: a province, a sort, Luhn.
    EcCedula = american::ec_cedula,
    /// Peru, taxpayer: weights 5 4 3 2 7 6 5 4 3 2 modulo 11.
    PeRuc = american::pe_ruc,
    /// Uruguay, person: weights 2 9 8 7 6 3 4 modulo 10.
    UyCi = american::uy_ci,
    /// Venezuela: the letter counts 4, 8, 12, 16 or 20; weights 3 2 7 6 5 4 3 2 modulo 11.
    VeRif = american::ve_rif,
    /// Dominican Republic, person: Luhn over eleven digits.
    DoCedula = american::do_cedula,
    /// China, resident: a place, a birthday, ISO 7064 mod 11-2.
    CnResident = asian::cn_resident,
    /// China, body: powers of 3 modulo 31, ranks without I, O, S, V, Z.
    CnCreditCode = asian::cn_credit_code,
    /// Hong Kong: one or two letters, six digits, weights 9 to 2 modulo 11; A is 10, a blank 36.
    HkId = asian::hk_id,
    /// Taiwan, person: the letter counts as two digits; weights 1 9 8 7 … 1 1 modulo 10.
    TwId = asian::tw_id,
    /// Japan, person: weights 6 5 4 3 2 7 6 5 4 3 2 modulo 11.
    JpMyNumber = asian::jp_my_number,
    /// Japan, body: 9 minus the weighted sum modulo 9, in front.
    JpCorporate = asian::jp_corporate,
    /// Korea, resident: a birthday, sex and century, weights 2 to 9 and 2 to 5 modulo 11.
    KrRrn = asian::kr_rrn,
    /// Korea, business: weights 1 3 7 1 3 7 1 3 5, the last one's tens too, modulo 10.
    KrBrn = asian::kr_brn,
    /// Singapore: weights 2 7 6 5 4 3 2 modulo 11, then a letter from the prefix's table.
    SgNric = asian::sg_nric,
    /// Malaysia: a birthday and a place; it has no check digit.
    MyNric = asian::my_nric,
    /// Thailand: weights 13 to 2 modulo 11.
    ThPin = asian::th_pin,
    /// Indonesia: a place and a birthday, 40 more days for women; it has no check digit.
    IdNik = asian::id_nik,
    /// India, person: Verhoeff; it begins with 2 to 9 and is no palindrome.
    InAadhaar = asian::in_aadhaar,
    /// India, taxpayer: five letters, of which the fourth tells the holder's sort, four digits, a letter.
    InPan = asian::in_pan,
    /// India, goods and services: a state, a taxpayer's number, Luhn modulo 36.
    InGstin = asian::in_gstin,
    /// Pakistan: a province's digit; it has no check digit.
    PkCnic = asian::pk_cnic,
    /// Vietnam, taxpayer: weights 31 29 23 19 17 13 7 5 3 modulo 11; a branch has three more digits.
    VnMst = asian::vn_mst,
    /// Israel: Luhn over nine digits.
    IlId = asian::il_id,
    /// South Africa: a birthday, a citizenship, Luhn over thirteen digits.
    ZaId = asian::za_id,
    /// Egypt: a century, a birthday, a governorate; how its check digit is made is not published.
    EgNational = asian::eg_national,
    /// Saudi Arabia: begins with 1 or 2, Luhn over ten digits.
    SaId = asian::sa_id,
    /// United Arab Emirates: 784, a year of birth, Luhn over fifteen digits.
    AeId = asian::ae_id,
    /// Australia, tax: weights 1 4 3 7 5 8 6 9 10, or 10 7 8 4 6 3 5 1 for eight digits, modulo 11.
    AuTfn = asian::au_tfn,
    /// Australia, business: 1 less in front, weights 10 1 3 5 … 19 modulo 89.
    AuAbn = asian::au_abn,
    /// Australia, health: weights 1 3 7 9 modulo 10; it begins with 2 to 6.
    AuMedicare = asian::au_medicare,
    /// New Zealand, tax: weights 3 2 7 6 5 4 3 2 modulo 11, then 7 4 3 2 5 2 7 6.
    NzIrd = asian::nz_ird,
    /// Base58Check of a Bitcoin address.
    Bitcoin = wallet::bitcoin,
    /// Base58Check of a private key in wallet import format.
    Wif = wallet::wif,
    /// Base58Check of anything.
    Base58 = wallet::base58check,
    /// Bech32 or Bech32m (BIP 173, 350).
    Bech32 = wallet::bech32,
    /// The case of an Ethereum address's letters (EIP-55).
    Ethereum = wallet::ethereum,
    /// Keccak over a Monero address.
    Monero = wallet::monero,
    /// Bech32 of a key, such as one of age.
    Bech32Key = wallet::bech32_key,
    /// Secret seed of Stellar: version 144, 32 bytes, CRC-16 (SEP 23).
    Stellar = wallet::stellar,
    /// Words of a wallet (BIP 39).
    SeedPhrase = token::seed_phrase,
    /// GitHub's and npm's tokens: CRC-32 in base 62.
    Base62Tail = token::base62_tail,
    /// GitLab's routable tokens: CRC-32 in base 36.
    Gitlab = token::gitlab,
    /// Grafana's tokens of service accounts: CRC-32.
    Grafana = token::grafana,
    /// Atlassian's tokens: CRC-32.
    Atlassian = token::atlassian,
    /// JSON Web Token: a header that names an algorithm.
    Jwt = token::jwt,
}

impl Check {
    /// Whether the value holds.
    pub fn holds(self, value: &[u8]) -> bool {
        let count = || value.iter().filter(|b| b.is_ascii_digit()).count();
        match (self, algorithm(self)) {
            (Self::E164, _) => (8..=15).contains(&count()),
            (Self::Phone, _) => (7..=15).contains(&count()) && !is_calendar_date(value) && is_dialled(value),
            // What has small letters or fillers is looked at as it is.
            (
                Self::Mrz
                | Self::Bitcoin
                | Self::Wif
                | Self::Base58
                | Self::Bech32
                | Self::Ethereum
                | Self::Monero
                | Self::Bech32Key
                | Self::Stellar
                | Self::SeedPhrase
                | Self::Base62Tail
                | Self::Gitlab
                | Self::Grafana
                | Self::Atlassian
                | Self::Jwt,
                Some(holds),
            ) => holds(value),
            (_, Some(holds)) => holds(&compact(value)),
            (_, None) => true,
        }
    }

    /// Whether so few numbers of its form hold (one in a hundred at the most) that one that stands alone in its line is meant.
    pub fn is_strong(self) -> bool {
        use Check::*;
        matches!(
            self,
            Iban | FrNir
                | FrNif
                | FrVat
                | BeNational
                | NlVat
                | DeSteuerId
                | DeSvnr
                | ChAhv
                | LuNin
                | EsNuss
                | ItCf
                | GrAmka
                | NoPerson
                | FiHetu
                | BalticPerson
                | RoCnp
                | BgEgn
                | Jmbg
                | RuSnils
                | TrTckn
                | KzIin
                | MxCurp
                | MxRfc
                | BrCpf
                | BrCnpj
                | CnResident
                | CnCreditCode
                | KrRrn
                | ZaId
                | AeId
                | AuAbn
                | InGstin
                | PlPesel
                | SePersonal
                | CzPerson
                | SgNric
                | EsDni
        )
    }
}

/// Whether it is written as numbers are dialled: a zero or plus in front, separators, or ten digits and more.
fn is_dialled(value: &[u8]) -> bool {
    matches!(value.first(), Some(b'0' | b'+' | b'('))
        || value.iter().any(|b| !b.is_ascii_digit())
        || matches!(value.len(), 10..=12)
}

/// The letters and digits of a value, in upper case.
fn compact(value: &[u8]) -> SmallVec<[u8; 36]> {
    value.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase).collect()
}

/// Whether it begins with `2024-05-17`, `17.05.2024` or `2024/05/17`.
pub(crate) fn is_calendar_date(value: &[u8]) -> bool {
    let value = value.get(..10).unwrap_or(value);
    let mut parts = value.split(|b| matches!(b, b'-' | b'.' | b'/'));
    let (Some(a), Some(b), Some(c), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let number = |part: &[u8]| sums::digits(part).map(|d| sums::value(&d[..d.len().min(4)]) as u32);
    let (Some(first), Some(month), Some(last)) = (number(a), number(b), number(c)) else { return false };
    let day = if a.len() == 4 { last } else { first };
    (a.len(), b.len(), c.len()) != (3, 3, 4) && (a.len() == 4 || c.len() == 4) && sums::is_date(month, day)
}
