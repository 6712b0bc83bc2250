//! What is assigned to a name, in the syntax of many languages and formats.
//!
//! From a place inside a name, such as that of `pass` in `DB_PASSWORD = "…"`, the reader goes left and right to the name's
//! ends, over what closes a key, a type or an operator, to the value: source, shell, YAML, TOML, INI, XML
//! elements and attributes, command lines, URLs, SQL, headers, calls.

/// A value and the name that it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Assigned {
    /// The name's first byte.
    pub(crate) name: usize,
    /// Behind the name.
    pub(crate) name_end: usize,
    /// The value's first byte.
    pub(crate) start: usize,
    /// Behind the value.
    pub(crate) end: usize,
    /// How the value is written.
    pub(crate) manner: Manner,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// In quotes: it is meant as it stands.
    Quoted,
    /// Bare, behind `=` without a space, as in a shell, a URL or an INI file.
    Bare,
    /// Bare, behind a colon or a spaced `=`: data as in YAML, or code.
    Loose,
    /// In quotes, behind others of a list.
    Listed,
    /// Between tags.
    Tagged,
    /// An argument of a command.
    Argument,
}

const NAME_BYTES_MAX: usize = 80;
const VALUE_BYTES_MAX: usize = 4096;
const GAP_BYTES_MAX: usize = 48;
const OPERATOR_MAX: usize = 4;
/// Commas of a bare value that are looked at.
const COMMAS_MAX: usize = 16;
/// Signs before a raw string.
const HASHES_MAX: usize = 4;
/// Attributes between a pair's name and its value.
const ATTRIBUTES_MAX: usize = 4;
/// Lines of folded base64 are no shorter.
const FOLDED_MIN: usize = 60;

/// How a name is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Quoted,
    Bare,
}

/// Where a name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the query of a URL.
    Query,
    Elsewhere,
}

fn in_name(byte: u8) -> bool {
    SORTS[usize::from(byte)] & IN_NAME != 0
}

/// A byte of a name.
const IN_NAME: u8 = 1;
/// A byte of what stands before a literal and belongs to it: a call, a constructor, a reference.
const BEFORE_LITERAL: u8 = 2;
/// A byte of a type.
const IN_TYPE: u8 = 4;
/// Ends a bare value.
const ENDS: u8 = 8;
/// Ends a bare value right behind `=`.
const ENDS_BARE: u8 = 16;

static SORTS: [u8; 256] = {
    let mut sorts = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        let word = byte.is_ascii_alphanumeric() || byte == b'_';
        let name = word || matches!(byte, b'-' | b'.');
        let before = name || matches!(byte, b'(' | b'[' | b'{' | b'&' | b'*' | b'@' | b'$' | b'!' | b' ');
        let kind =
            word || matches!(byte, b' ' | b'&' | b'\'' | b'[' | b']' | b'<' | b'>' | b'?' | b':' | b'.');
        let ends = byte <= b' ' || byte == 0x7F || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'\\' | b';');
        let ends_bare = ends || matches!(byte, b'&' | b'>');
        sorts[at] = (name as u8 * IN_NAME)
            | (before as u8 * BEFORE_LITERAL)
            | (kind as u8 * IN_TYPE)
            | (ends as u8 * ENDS)
            | (ends_bare as u8 * ENDS_BARE);
        at += 1;
    }
    sorts
};

/// The name around `at`.
pub(super) fn name_around(text: &[u8], at: usize) -> (usize, usize) {
    let from = at.saturating_sub(NAME_BYTES_MAX);
    let left = text[from..at].iter().rev().take_while(|byte| in_name(**byte)).count();
    let to = text.len().min(at + NAME_BYTES_MAX);
    let right = text[at..to].iter().take_while(|byte| in_name(**byte)).count();
    (at - left, at + right)
}

fn spaces(text: &[u8], at: usize) -> usize {
    let to = text.len().min(at + GAP_BYTES_MAX);
    at + text[at.min(to)..to].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// What is assigned to the name that `at` lies in; `None` where nothing is.
pub(crate) fn read(text: &[u8], at: usize) -> Option<Assigned> {
    let (name, name_end) = name_around(text, at);
    let byte = |at: usize| text.get(at).copied().unwrap_or(b'\n');
    let mut here = name_end;
    // What closes a key: quotes, brackets, a tag's end.
    let quoted_key = matches!(byte(here), b'"' | b'\'' | b'`');
    while matches!(byte(here), b'"' | b'\'' | b'`' | b'[' | b']' | b'\\') && here < name_end + 4 {
        here += 1;
    }
    // The length of an array.
    if byte(here.wrapping_sub(1)) == b'[' {
        here += text[here..].iter().take(4).take_while(|b| b.is_ascii_digit()).count();
        here += usize::from(byte(here) == b']');
    }
    let closed = here;
    here = spaces(text, here);
    let operator = operator(text, here);
    let paired = paired(text, name, closed, if quoted_key { Key::Quoted } else { Key::Bare });
    let called = matches!(byte(here), b'(' | b',') && operator <= 1;
    let (value, manner) = match (byte(here), byte(here + 1), byte(here + 2)) {
        _ if operator > 1 => (here + operator, Manner::Loose),
        _ if paired.is_some() => (paired.unwrap_or(here), Manner::Bare),
        // In LDIF, base64 follows two colons.
        (b':', b':', b' ') if here == name_end => (here + 2, Manner::Loose),
        (b':', b':', _) => return None,
        (b':', ..) => typed(text, here + 1),
        (b'=', next, _) if here == name_end && !matches!(next, b' ' | b'\t') => (here + 1, Manner::Bare),
        (b'=', ..) => (here + 1, Manner::Loose),
        (b'>', ..)
            if closed == name_end && name > 0 && matches!(text[name - 1], b'<' | b':' | b'"' | b'/') =>
        {
            return tagged(text, name, name_end, here + 1);
        }
        (b'(', ..) if here == name_end || quoted_key => (here + 1, Manner::Loose),
        (b'{', b'"' | b'\'', _) if here == name_end => (here + 1, Manner::Loose),
        (b',', ..) if quoted_key => (here + 1, Manner::Loose),
        // A pair of Erlang's, whose strings may be binaries.
        (b',', ..) if here == name_end && name > 0 && text[name - 1] == b'{' => {
            let start = spaces(text, here + 1);
            (if text[start..].starts_with(b"<<\"") { start + 2 } else { start }, Manner::Loose)
        }
        _ if here > closed && declared(text, here).is_some() => {
            (declared(text, here).unwrap_or(here), Manner::Loose)
        }
        (b'"' | b'\'', ..) if here > closed => (here, Manner::Argument),
        (next, ..) if here > closed && !quoted_key && next > b' ' => (here, Manner::Argument),
        _ => return None,
    };
    let start = spaces(text, value);
    let manner = if manner == Manner::Argument && is_set(text, name) { Manner::Bare } else { manner };
    let (start, end, manner) =
        below(text, start, manner).or_else(|| value_at(text, start, manner, in_query(text, name)))?;
    if called && manner != Manner::Quoted && paired.is_none() {
        return None;
    }
    // Of an argument, only what is quoted or follows an option or a keyword of its own is meant.
    let argument = manner != Manner::Argument
        || text[name] == b'-'
        || name == 0
        || matches!(text[name - 1], b' ' | b'\n' | b'\t');
    (end > start && argument).then_some(Assigned { name, name_end, start, end, manner })
}

/// Behind what gives a name its value in another pair: `<add key="password" value="…"/>`, `name: PASSWORD` and in the next
/// line `value: …`.
fn paired(text: &[u8], name: usize, at: usize, quoted_key: Key) -> Option<usize> {
    let blank = |at: usize| {
        text[at..].iter().take(GAP_BYTES_MAX).take_while(|b| b.is_ascii_whitespace() || **b == b',').count()
    };
    let (mut at, mut gap) = (at, blank(at));
    if gap == 0 {
        return None;
    }
    let before = text[name.saturating_sub(16)..name].trim_ascii_end();
    let called = |word: &[u8]| {
        before.len().checked_sub(word.len()).is_some_and(|at| before[at..].eq_ignore_ascii_case(word))
    };
    if quoted_key != Key::Quoted && !called(b"name:") && !called(b"key:") {
        return None;
    }
    for _ in 0..ATTRIBUTES_MAX {
        let Some(behind) = behind_attribute(text, at + gap).filter(|_| gap > 0) else { break };
        (at, gap) = (behind, blank(behind));
    }
    let rest = &text[at + gap..];
    let open = usize::from(matches!(rest.first(), Some(b'"' | b'\'')));
    let word = rest.get(open..open + 5)?.eq_ignore_ascii_case(b"value");
    let close = open + 5 + usize::from(open == 1);
    let sign = spaces(text, at + gap + close);
    (gap > 0 && word && matches!(text.get(sign), Some(b':' | b'='))).then_some(sign + 1)
}

/// Behind an attribute of XML other than the value: `type="string"`.
fn behind_attribute(text: &[u8], at: usize) -> Option<usize> {
    let near = &text[at..text.len().min(at + GAP_BYTES_MAX)];
    let name =
        near.iter().take_while(|byte| byte.is_ascii_alphabetic() || matches!(byte, b':' | b'-')).count();
    let quote = *near[name..].strip_prefix(b"=")?.first().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let value = near.get(name + 2..)?.iter().position(|byte| *byte == quote)?;
    (name > 0 && !near[..name].eq_ignore_ascii_case(b"value")).then_some(at + name + 2 + value + 1)
}

/// Whether a command before the name sets it, so that what follows is its value: `ENV PASSWORD …`.
fn is_set(text: &[u8], name: usize) -> bool {
    let before = text[name.saturating_sub(8)..name].trim_ascii_end();
    [&b"ENV"[..], b"ARG", b"SetEnv", b"setx", b"set", b"setenv"].iter().any(|word| before.ends_with(word))
}

/// Whether the name is a parameter of a URL.
fn in_query(text: &[u8], name: usize) -> Place {
    if name > 0 && matches!(text[name - 1], b'?' | b'&') { Place::Query } else { Place::Elsewhere }
}

/// The first line of a block: YAML's `|` and `>`, `<<EOT` of shells and Terraform.
fn below(text: &[u8], at: usize, manner: Manner) -> Option<(usize, usize, Manner)> {
    let line = &text[at..text.len().min(at + GAP_BYTES_MAX)];
    let line = &line[..line.iter().position(|b| *b == b'\n')?];
    let mark = line.trim_ascii_end();
    let scalar = mark.len() <= 3
        && matches!(mark.first(), Some(b'|' | b'>'))
        && mark[1..].iter().all(|b| matches!(b, b'+' | b'-' | b'0'..=b'9'));
    let heredoc = mark.strip_prefix(b"<<").is_some_and(|word| {
        word.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'~' | b'_' | b'"' | b'\''))
    });
    if manner == Manner::Argument || !(scalar || heredoc) {
        return None;
    }
    let start = at + line.len() + 1;
    let start = spaces(text, start);
    let to = text.len().min(start + VALUE_BYTES_MAX);
    let length = text[start..to].iter().take_while(|b| !matches!(b, b'\n' | b'\r')).count();
    let value = text[start..start + length].trim_ascii_end();
    // What is written so may hold spaces, as what stands in quotes.
    (!value.is_empty()).then_some((start, start + value.len(), Manner::Quoted))
}

/// The next value of a list whose value ends at `end`, in its quote: `["a", "b"]`.
pub(crate) fn next_in_list(text: &[u8], found: &Assigned) -> Option<Assigned> {
    let quote = *text.get(found.end)?;
    let listed = found.manner == Manner::Quoted && text[..found.start - 1].trim_ascii_end().ends_with(b"[")
        || found.manner == Manner::Listed;
    let after = spaces(text, found.end + 1);
    if !listed || text.get(after) != Some(&b',') {
        return None;
    }
    let at = after
        + 1
        + text[after + 1..].iter().take(GAP_BYTES_MAX).take_while(|b| b.is_ascii_whitespace()).count();
    if text.get(at) != Some(&quote) {
        return None;
    }
    let (start, end, _) = quoted(text, at)?;
    Some(Assigned { start, end, manner: Manner::Listed, ..*found })
}

/// Bytes of an operator of more than one that assigns or compares: `:=`, `::=`, `=>`, `.=`, `?=`, `===`; zero where none stands.
fn operator(text: &[u8], at: usize) -> usize {
    let signs = text[at..text.len().min(at + OPERATOR_MAX)].iter();
    let length = signs
        .take_while(|b| {
            matches!(b, b':' | b'=' | b'>' | b'|' | b'?' | b'+' | b'.' | b'!' | b'-' | b'~' | b'<')
        })
        .count();
    const OPERATORS: [&[u8]; 16] = [
        b":=", b"::=", b":::=", b"=>", b"->", b"<-", b"|=", b"?=", b"+=", b".=", b"||=", b"??=", b"==",
        b"===", b"!=", b"!==",
    ];
    if length < 2 {
        return 0;
    }
    let found = OPERATORS.into_iter().filter(|operator| text[at..at + length].starts_with(operator));
    found.map(<[u8]>::len).max().unwrap_or(0)
}

/// Behind the name of a type, as in Go's `var password string = "…"`: where the operator ends.
fn declared(text: &[u8], at: usize) -> Option<usize> {
    // Visual Basic writes a word before the type.
    let at = if text[at..].len() > 3 && text[at..at + 3].eq_ignore_ascii_case(b"as ") { at + 3 } else { at };
    let named =
        text[at..text.len().min(at + GAP_BYTES_MAX)].iter().take_while(|b| b.is_ascii_alphanumeric()).count();
    let equals = spaces(text, at + named);
    (named > 0
        && equals > at + named
        && text.get(equals) == Some(&b'=')
        && text.get(equals + 1) != Some(&b'='))
    .then_some(equals + 1)
}

/// The quoted value that the name around `at` is compared with, where it stands before: `"…" == password`.
pub(crate) fn read_before(text: &[u8], at: usize) -> Option<Assigned> {
    let (name, name_end) = name_around(text, at);
    let head = text[name.saturating_sub(VALUE_BYTES_MAX)..name].trim_ascii_end();
    let compared = [&b"==="[..], b"!==", b"==", b"!="];
    let head = compared.iter().find_map(|operator| head.strip_suffix(*operator))?.trim_ascii_end();
    let (quote, inside) = head.split_last().filter(|(quote, _)| matches!(quote, b'"' | b'\'' | b'`'))?;
    let length = inside.iter().rev().take_while(|b| *b != quote && **b != b'\n').count();
    let end = name - (text[name.saturating_sub(VALUE_BYTES_MAX)..name].len() - inside.len());
    (length > 0 && inside.len() > length && inside[inside.len() - length - 1] == *quote).then_some(Assigned {
        name,
        name_end,
        start: end - length,
        end,
        manner: Manner::Quoted,
    })
}

/// Behind a colon: a type and then the operator, or the value itself.
fn typed(text: &[u8], at: usize) -> (usize, Manner) {
    let line = &text[at..text.len().min(at + GAP_BYTES_MAX)];
    let length = line.iter().take_while(|byte| SORTS[usize::from(**byte)] & IN_TYPE != 0).count();
    let assigned = line.get(length) == Some(&b'=') && !matches!(line.get(length + 1), Some(b'=' | b'>'));
    let named = || line[..length].iter().any(u8::is_ascii_alphabetic);
    if assigned && line[..length].ends_with(b" ") && named() {
        (at + length + 1, Manner::Loose)
    } else {
        (at, Manner::Loose)
    }
}

fn tagged(text: &[u8], name: usize, name_end: usize, at: usize) -> Option<Assigned> {
    let rest = &text[at..text.len().min(at + VALUE_BYTES_MAX)];
    let lead = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let rest = rest.strip_prefix(b"<![CDATA[").map_or(&rest[lead..], |rest| rest);
    let start = at + (text[at..].len().min(VALUE_BYTES_MAX) - rest.len());
    let length = rest.iter().position(|byte| matches!(byte, b'<' | b'>'))?;
    let value = rest[..length].strip_suffix(b"]]").unwrap_or(&rest[..length]).trim_ascii_end();
    let closes = rest[length..].starts_with(b"</")
        || rest.get(length) == Some(&b'>') && rest[..length].ends_with(b"]]");
    (closes && !value.is_empty() && !value.contains(&b'\n')).then_some(Assigned {
        name,
        name_end,
        start,
        end: start + value.len(),
        manner: Manner::Tagged,
    })
}

/// The value that begins at `at`, out of its quotes.
fn value_at(text: &[u8], mut at: usize, manner: Manner, place: Place) -> Option<(usize, usize, Manner)> {
    let byte = |at: usize| text.get(at).copied().unwrap_or(b'\n');
    // A call, a constructor or a prefix of the literal: `aws.String("…")`, `b"…"`, `Some("…")`.
    let from = at;
    while at < from + GAP_BYTES_MAX
        && (SORTS[usize::from(byte(at))] & BEFORE_LITERAL != 0
            || byte(at) == b'#' && matches!(byte(at.wrapping_sub(1)), b'r' | b'#'))
    {
        if byte(at) == b' '
            && !matches!(byte(at.wrapping_sub(1)), b'(' | b'[' | b'{' | b' ')
            && !text[from..at].ends_with(b"new")
        {
            break;
        }
        at += 1;
    }
    let called = matches!(byte(at.wrapping_sub(1)), b'(' | b'[' | b'{' | b'@' | b'$' | b'#')
        || at == from
        || at - from <= 2;
    // A lifetime of Rust's is no quote.
    let lifetime = byte(at) == b'\'' && byte(at.wrapping_sub(1)) == b'&';
    if matches!(byte(at), b'"' | b'\'' | b'`') && called && !lifetime {
        return quoted(text, at);
    }
    if byte(from) == b'\\' && matches!(byte(from + 1), b'"' | b'\'') {
        return quoted(text, from + 1);
    }
    let to = text.len().min(from + VALUE_BYTES_MAX);
    let ends = if manner == Manner::Bare { ENDS_BARE } else { ENDS };
    let length = text[from..to].iter().take_while(|byte| SORTS[usize::from(**byte)] & ends == 0).count();
    let length = match (manner, place) {
        (Manner::Argument, _) => length,
        (_, Place::Query) => {
            text[from..from + length].iter().position(|b| matches!(b, b',' | b')' | b']')).unwrap_or(length)
        }
        (_, Place::Elsewhere) => up_to_comma(&text[from..from + length]),
    };
    let length = without_closing(&text[from..from + length]);
    Some((from, from + length, manner))
}

/// Up to a comma that ends a value: the last byte, or before another name and its value.
fn up_to_comma(value: &[u8]) -> usize {
    let ends = |at: usize| {
        let rest = &value[at + 1..];
        let named = rest.iter().take_while(|b| in_name(**b)).count();
        rest.is_empty()
            || named == 0 && matches!(rest[0], b'{' | b'[' | b'(')
            || matches!(rest.get(named), Some(b'=' | b':')) && rest[0].is_ascii_alphabetic()
    };
    memchr::memchr_iter(b',', value).take(COMMAS_MAX).find(|at| ends(*at)).unwrap_or(value.len())
}

/// Without what closes something that opened before the value.
fn without_closing(value: &[u8]) -> usize {
    let mut length = value.len();
    while length > 0 {
        let value = &value[..length];
        let count = |byte: u8| value.iter().filter(|b| **b == byte).count();
        match value[length - 1] {
            b',' | b'.' | b':' => length -= 1,
            b')' if count(b'(') < count(b')') => length -= 1,
            b']' if count(b'[') < count(b']') => length -= 1,
            b'}' if count(b'{') < count(b'}') => length -= 1,
            _ => break,
        }
    }
    length
}

/// Whether a line is one of base64 that goes on in the next.
fn is_folded(line: &[u8]) -> bool {
    line.len() >= FOLDED_MIN
        && line.iter().all(|b| b.is_ascii_alphanumeric() || b.is_ascii_whitespace() || b"+/=".contains(b))
}

fn quoted(text: &[u8], at: usize) -> Option<(usize, usize, Manner)> {
    let quote = text[at];
    let width = if text[at..].starts_with(&[quote; 3]) { 3 } else { 1 };
    let start = at + width;
    let to = text.len().min(start + VALUE_BYTES_MAX);
    // A raw string of Rust's ends with as many signs as stand before it, and knows no escapes.
    let hashes = text[..at].iter().rev().take(HASHES_MAX).take_while(|byte| **byte == b'#').count();
    if hashes > 0 {
        let closes =
            |end: &usize| text[*end] == quote && text[end + 1..].starts_with(&[b'#'; HASHES_MAX][..hashes]);
        return (start..to).find(closes).map(|end| (start, end, Manner::Quoted));
    }
    let escaped_quotes = at > 0 && text[at - 1] == b'\\';
    let mut end = start;
    while end < to {
        match text[end] {
            b'\\' if escaped_quotes && text.get(end + 1) == Some(&quote) => break,
            b'\\' => end += 2,
            b'\n' if width == 1 && !is_folded(&text[start..end]) => return None,
            byte if byte == quote => break,
            _ => end += 1,
        }
    }
    (end < to).then_some((start, end, Manner::Quoted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<(&str, Manner)> {
        let at = text.to_ascii_lowercase().find("pass").expect("a name");
        read(text.as_bytes(), at).map(|found| (&text[found.start..found.end], found.manner))
    }

    #[test]
    fn values_are_read_in_the_syntax_of_many_languages() {
        for (text, wanted, manner) in [
            ("password = \"v1\"", "v1", Manner::Quoted),
            ("export DB_PASSWORD=v1", "v1", Manner::Bare),
            ("  password: v1\n", "v1", Manner::Loose),
            ("\"dbPassword\": \"v1\",", "v1", Manner::Quoted),
            ("'password' => 'v1',", "v1", Manner::Quoted),
            ("let password: &str = \"v1\";", "v1", Manner::Quoted),
            ("password: str = 'v1'", "v1", Manner::Quoted),
            ("<password>v1</password>", "v1", Manner::Tagged),
            ("https://h/x?password=v1&y=2", "v1", Manner::Bare),
            ("SetPassword(\"v1\")", "v1", Manner::Quoted),
            ("define('PASSWORD', 'v1');", "v1", Manner::Quoted),
            ("Password: aws.String(\"v1\")", "v1", Manner::Quoted),
            ("mysql --password v1", "v1", Manner::Argument),
            ("IDENTIFIED PASSWORD 'v1'", "v1", Manner::Quoted),
            ("if password == 'v1' {", "v1", Manner::Quoted),
            ("{\\\"password\\\": \\\"v1\\\"}", "v1", Manner::Quoted),
            ("const char *password = \"v1\";", "v1", Manner::Quoted),
            ("password := `v1`", "v1", Manner::Quoted),
            ("password=a,b!c", "a,b!c", Manner::Bare),
            ("password=v1,user=x", "v1", Manner::Bare),
            ("<add key=\"Password\" value=\"v1\"/>", "v1", Manner::Quoted),
            ("password: |\n  v 1\n", "v 1", Manner::Quoted),
            ("password = <<EOT\nv1\nEOT", "v1", Manner::Quoted),
            ("ENV PASSWORD v1", "v1", Manner::Bare),
            ("let password = r#\"v\"1\"#;", "v\"1", Manner::Quoted),
            ("password: r##\"v1\"##,", "v1", Manner::Quoted),
            ("<add key=\"Password\" type='text' xml:lang=\"en\" value=\"v1\"/>", "v1", Manner::Quoted),
            ("userPassword:: v1", "v1", Manner::Loose),
            ("{default_pass, \"v1\"}", "v1", Manner::Quoted),
            ("[{password, <<\"v1\">>}]", "v1", Manner::Quoted),
        ] {
            assert_eq!(value(text), Some((wanted, manner)), "{text}");
        }
    }

    #[test]
    fn nothing_is_assigned_where_nothing_stands() {
        for text in [
            "password",
            "password::new()",
            "password;",
            "password\n",
            "<a key=\"password\" type=\"text\"/>",
            "password = \"unclosed\n",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
    }
}
