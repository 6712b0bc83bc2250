//! Long runs of token characters that hold a digit: tokens by their prefix, values by a word before them, random ones.

use super::literals::Literals;
use super::{Search, assignment, finder};
use crate::credential::{self, Need};
use crate::filter::Filter;
use crate::pseudonym;
use crate::rules::{Finder, Form, Rule};
use crate::simd;
use crate::surprise::Makeup;
use crate::template;
use crate::work;

/// A run's length at the least.
const LENGTH_MIN: usize = 8;
/// How far before a value its word may stand.
const WORD_BYTES: usize = 80;
/// Words taken note of at once; further ones are of text that is all names of services.
const WORDS_MAX: usize = 24;
/// Of a longer run, only so much is looked through for values by words; tokens are looked for in all of it.
const KEYED_BYTES_MAX: usize = 4096;

/// Lengths of values that nothing announces.
const RANDOM_MIN: usize = 24;
const RANDOM_MAX: usize = 256;
/// The same with what slashes join to it.
const WIDENED_MAX: usize = 2048;
/// A secret access key of AWS and its like: base64 of 30 bytes, slashes anywhere in it.
const KEY_BYTES: usize = 40;

/// Names change between letters and digits, or begin another word, after so many characters at the least.
const NAME_TURN: usize = 4;
/// Numbers of programs are no longer than this.
const NUMBER_MAX: usize = 22;
/// Dates with slashes are no longer than this.
const DATE_MAX: usize = 10;
/// A run that is so long is looked at more closely where nothing may be missed: in its first so many bytes.
const GLUED_MIN: usize = 24;
const GLUED_BYTES: usize = 12;
/// Bytes of a run that are looked at in one go: as many places at the most.
const PLACES_MAX: usize = 64;
/// Shorter prefixes tell nothing behind another letter.
const TELLING_MIN: usize = 4;
/// Stands for a part of names for secrets in place of a rule.
const STEM: u16 = u16::MAX;

/// What is looked for in runs.
#[derive(Debug)]
pub(super) struct Runs {
    prefixes: Literals,
    words: Literals,
    random: Option<u16>,
    uuid: Option<u16>,
    wallet_key: Option<u16>,
    wallet_address: Option<u16>,
}

/// What is known of the text before the next run.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Where the last run that was looked at ends.
    done: usize,
    /// Through where words were looked for.
    through: usize,
    /// The last words that announce values.
    words: Vec<Word>,
}

/// A word that announces values: where it stands, and the rule, or [`STEM`].
#[derive(Debug, Clone, Copy)]
struct Word {
    start: usize,
    end: usize,
    rule: u16,
}

impl Walk {
    /// Looks at the run around `place`, unless it was looked at.
    pub(super) fn look(&mut self, runs: &Runs, search: &mut Search<'_>, place: usize) {
        if place < self.done {
            return;
        }
        let text = search.text;
        let before = text[self.done..place].iter().rev().take_while(|byte| simd::is_token(**byte)).count();
        let end = place + text[place..].iter().take_while(|byte| simd::is_token(**byte)).count();
        self.done = end;
        let run = &text[place - before..end];
        if run.len() >= LENGTH_MIN && !is_number(run) {
            search.hints.run(text, place - before, end);
            runs.look(search, self, place - before, end);
        }
    }
}

impl Runs {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let numbered = || rules.iter().enumerate().map(|(number, rule)| (number as u16, rule));
        let prefixes = numbered().flat_map(|(number, rule)| {
            let prefix = if let Form::Token { prefix, .. } = &rule.form { &prefix[..] } else { &[] };
            prefix.iter().flat_map(move |text| heads(text, rule)).map(move |text| (text, true, number))
        });
        let weak = finder(rules, Finder::Secret).map_or(&[][..], |_| &credential::WEAK_STEMS[..]);
        let stems = weak.iter().map(|stem| (stem.as_bytes().to_vec(), false, STEM));
        let words = numbered().flat_map(|(number, rule)| {
            let words = if let Form::Keyed { words, .. } = &rule.form { &words[..] } else { &[] };
            words.iter().map(move |text| (text.clone().into_bytes(), false, number))
        });
        Self {
            prefixes: Literals::new(prefixes),
            words: Literals::new(words.chain(stems)),
            random: finder(rules, Finder::Random),
            uuid: finder(rules, Finder::Uuid),
            wallet_key: finder(rules, Finder::WalletKey),
            wallet_address: finder(rules, Finder::WalletAddress),
        }
    }

    /// Looks at the run `start..end`.
    fn look(&self, search: &mut Search<'_>, walk: &mut Walk, start: usize, end: usize) {
        self.tokens(search, start, end);
        self.keyed(search, walk, start, end.min(start + KEYED_BYTES_MAX));
        self.unknown(search, start, end);
    }

    fn tokens(&self, search: &mut Search<'_>, start: usize, end: usize) {
        let text = search.text;
        let escaped = start > 0 && matches!(text[start - 1], b'\\' | b'%' | b'&' | b';');
        if search.scanner.thorough && end - start >= GLUED_MIN {
            // What an escape ends with may be glued to a token's beginning, or the one letter that it stood for.
            let glued = if escaped { GLUED_BYTES } else { 2 };
            (start + 1..start + glued).for_each(|at| self.token(search, at, TELLING_MIN));
        }
        let mut places = [0usize; PLACES_MAX];
        let mut from = start;
        while from < end {
            // So few bytes have no more beginnings than fit.
            let to = end.min(from + PLACES_MAX);
            let mut count = 0;
            work::count(to - from);
            search.starts.each(text, from, to, |at| {
                places[count] = at;
                count += 1;
            });
            for at in &places[..count] {
                let apart = *at == 0 || !text[at - 1].is_ascii_alphanumeric();
                if apart && self.prefixes.may_stand(text, *at) {
                    self.token(search, *at, 0);
                }
            }
            from = to;
        }
    }

    /// Tokens at `at` whose prefix has `least` bytes.
    #[inline]
    fn token(&self, search: &mut Search<'_>, at: usize, least: usize) {
        let text = search.text;
        for (number, _) in self.prefixes.at(text, at) {
            let Form::Token { prefix, .. } = &search.scanner.rules[usize::from(number)].form else {
                continue;
            };
            let here = prefix.iter().filter(|prefix| text[at..].starts_with(prefix.as_bytes()));
            for length in here.map(String::len).filter(|length| *length >= least) {
                token(search, number, at, length);
            }
        }
    }

    /// Takes note of the words before and in the run `start..end`; those of the run before are known.
    fn announced(&self, search: &Search<'_>, walk: &mut Walk, start: usize, end: usize) {
        let text = search.text;
        let reach = start.saturating_sub(WORD_BYTES);
        let from = reach.max(walk.through);
        work::count(end.saturating_sub(from));
        walk.words.retain(|word| word.start >= reach);
        search.starts.each(text, from, end, |at| {
            if !self.words.may_stand(text, at) {
                return;
            }
            for (rule, length) in self.words.at(text, at) {
                if walk.words.len() < WORDS_MAX && !pseudonym::within_token(text, at) {
                    walk.words.push(Word { start: at, end: at + length, rule });
                }
            }
        });
        walk.through = end;
    }

    fn keyed(&self, search: &mut Search<'_>, walk: &mut Walk, start: usize, end: usize) {
        let text = search.text;
        self.announced(search, walk, start, end);
        for Word { end: word_end, rule: number, .. } in &walk.words {
            if *number == STEM {
                self.assigned(search, word_end - 1, start, end);
                continue;
            }
            let rule = &search.scanner.rules[usize::from(*number)];
            let Form::Keyed { body, .. } = &rule.form else { continue };
            let need = if search.scanner.thorough { Need::Any } else { Need::Likely };
            let sort = template::sort(body);
            // The run may be the last of several that the value lies in.
            let mut at = if template::is_broken(body) { *word_end } else { start.max(*word_end) };
            work::count(end.min(word_end + WORD_BYTES).saturating_sub(at));
            while at < end.min(word_end + WORD_BYTES) {
                let begins = at == 0 || !template::goes_on(body, text[at - 1]);
                match begins.then(|| ended(body, text, at)).flatten() {
                    Some(ends) => {
                        if credential::is_plausible(text, (at, ends), sort, need) {
                            search.offer(*number, at, ends);
                        }
                        at = ends;
                    }
                    None => at += 1,
                }
            }
        }
    }

    /// What is assigned to the name around `name`, if it stands in the run.
    fn assigned(&self, search: &mut Search<'_>, name: usize, start: usize, end: usize) {
        let Some(found) = assignment::read(search.text, name) else { return };
        if found.start < end && found.end > start {
            search.offer_credential(Finder::Secret, &found);
        }
    }

    /// What has the length and the beginning of a wallet's key or address in Base58; the rules' checksums tell.
    fn wallets(&self, search: &mut Search<'_>, start: usize, end: usize) {
        if self.wallet_key.or(self.wallet_address).is_none() {
            return;
        }
        for (from, to) in pieces(search.text, start, end, |byte| byte.is_ascii_alphanumeric()) {
            let rule = match (to - from, search.text[from]) {
                (26..=35, b'1' | b'3') => self.wallet_address,
                (51, b'5' | b'9') | (52, b'K' | b'L' | b'c') => self.wallet_key,
                _ => None,
            };
            if let Some(number) = rule {
                search.offer(number, from, to);
            }
        }
    }

    /// Values that nothing announces.
    pub(super) fn unknown(&self, search: &mut Search<'_>, start: usize, end: usize) {
        if end - start < RANDOM_MIN {
            return;
        }
        work::count(end - start);
        let start = start + usize::from(is_escape(search.text, start));
        self.wallets(search, start, end);
        if let Some(number) = self.random {
            if end - start >= KEY_BYTES {
                let key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
                for (from, to) in pieces(search.text, start, end, key) {
                    if to - from == KEY_BYTES {
                        search.offer(number, from, to);
                    }
                }
            }
            let mut done = start;
            for (from, to) in pieces(search.text, start, end, |byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'_' | b'-' | b'=')
            }) {
                let from = from + value_of(&search.text[from..to]);
                if from >= done && (RANDOM_MIN..=RANDOM_MAX).contains(&(to - from)) {
                    let (from, to) = widened(search.text, (done, end), from, to);
                    done = to;
                    // What goes on and on is no token, but may well encode a text with one.
                    if to - from <= WIDENED_MAX {
                        search.offer(number, from, to);
                    }
                }
            }
        }
        if let Some(number) = self.uuid {
            for (from, to) in
                pieces(search.text, start, end, |byte| byte.is_ascii_alphanumeric() || byte == b'-')
            {
                if to - from == 36 {
                    search.offer(number, from, to);
                }
            }
        }
    }
}

/// Offers what stands at `at` behind a prefix of so many bytes, if it is a token of this rule.
pub(super) fn token(search: &mut Search<'_>, number: u16, at: usize, prefix: usize) {
    let text = search.text;
    let rule = &search.scanner.rules[usize::from(number)];
    let Form::Token { body, .. } = &rule.form else { return };
    let Some(end) = ended(body, text, at + prefix) else { return };
    let filled = rule.filter != Filter::Prefix && credential::is_filled_in(&text[at + prefix..end]);
    if !filled && !credential::is_file_name(text, end) {
        search.offer(number, at, end);
    }
}

/// A prefix as it is looked for: one of two characters with each character that may follow.
fn heads(prefix: &str, rule: &Rule) -> Vec<Vec<u8>> {
    let follows = match &rule.form {
        Form::Token { body, .. } if prefix.len() < 3 => body.first(),
        _ => None,
    };
    match follows {
        Some(template::Piece::Run { alphabet, .. }) => {
            alphabet.characters().into_iter().map(|next| format!("{prefix}{next}").into_bytes()).collect()
        }
        _ => vec![prefix.as_bytes().to_vec()],
    }
}

/// Where what is assigned begins in a piece such as `name=value==`.
fn value_of(piece: &[u8]) -> usize {
    let padding = piece.iter().rev().take_while(|byte| **byte == b'=').count();
    let sign = piece[..piece.len() - padding].iter().rposition(|byte| *byte == b'=');
    let named = |at: &usize| Makeup::of(&piece[..*at]).turns * NAME_TURN < *at;
    sign.filter(named).map_or(0, |at| at + 1)
}

/// A random piece together with random pieces that slashes join to it, as in base64.
fn widened(text: &[u8], (start, end): (usize, usize), mut from: usize, mut to: usize) -> (usize, usize) {
    let random = |piece: &[u8]| {
        let makeup = Makeup::of(piece);
        makeup.upper > 0
            && makeup.lower > 0
            && !piece.contains(&b'.')
            && (piece.len() < 6 || makeup.surprise() >= 4.3)
    };
    while from > start + 1 && text[from - 1] == b'/' {
        let piece = text[start..from - 1].iter().rev().take_while(|b| **b != b'/').count();
        if piece == 0 || !random(&text[from - 1 - piece..from - 1]) {
            break;
        }
        from -= piece + 1;
    }
    while to + 1 < end && text[to] == b'/' {
        let piece = text[to + 1..end].iter().take_while(|b| **b != b'/').count();
        if piece == 0 || !random(&text[to + 1..to + 1 + piece]) {
            break;
        }
        to += piece + 1;
    }
    (from, to)
}

/// Whether the first letter of a run belongs to an escape before it: `\n` and its like.
fn is_escape(text: &[u8], start: usize) -> bool {
    let backslashes = text[..start].iter().rev().take(GLUED_BYTES).take_while(|byte| **byte == b'\\').count();
    backslashes % 2 == 1 && matches!(text.get(start), Some(b'n' | b'r' | b't'))
}

/// Whether a short run is a number of a program: digits with few letters, hexadecimal digits behind `0x`.
fn is_number(run: &[u8]) -> bool {
    let hex = run.starts_with(b"0x") || run.starts_with(b"0X");
    let letters = || run.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let number =
        || run[0].is_ascii_digit() && letters() <= 3 && !(run.len() > DATE_MAX && run.contains(&b'/'));
    run.len() <= NUMBER_MAX && (hex || number())
}

/// Where a text of this format that begins at `at` ends, if nothing of its sort follows.
fn ended(body: &[template::Piece], text: &[u8], at: usize) -> Option<usize> {
    let end = template::match_at(body, text, at)?;
    text.get(end).is_none_or(|next| !template::goes_on(body, *next)).then_some(end)
}

/// The stretches of a run whose bytes are all of a sort.
fn pieces(
    text: &[u8],
    start: usize,
    end: usize,
    is: impl Fn(u8) -> bool,
) -> impl Iterator<Item = (usize, usize)> {
    let mut at = start;
    std::iter::from_fn(move || {
        while at < end && !is(text[at]) {
            at += 1;
        }
        let from = at;
        while at < end && is(text[at]) {
            at += 1;
        }
        (at > from).then_some((from, at))
    })
}
