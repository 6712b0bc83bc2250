//! How unlike words a text is, in bits a letter: words of any language and names in source have about three, letters drawn
//! at random nearly six.
//!
//! The table holds, for each two letters (a row; `{`, the last of each 27, is a word's beginning) and each third (a column), how
//! surprising it is, in half bits from 0 to 15. It was counted over the words of some hundred megabytes of source and
//! documentation, each word weighed by the logarithm of how many files hold it.

static LETTERS: &[u8] = include_bytes!("letters.txt");

/// Letters, and one for the beginning of a word.
const ROWS: usize = 27;
/// A row's 26 columns and its line end.
const ROW_BYTES: usize = 27;
const START: usize = 26;

/// What a value is made of.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Makeup {
    pub(crate) upper: usize,
    pub(crate) lower: usize,
    pub(crate) digits: usize,
    /// Anything else.
    pub(crate) others: usize,
    /// Changes between letters and digits, and from lower to upper case within words.
    pub(crate) turns: usize,
    /// Half bits of all letters together.
    halves: usize,
}

impl Makeup {
    /// Looks at a value.
    pub(crate) fn of(value: &[u8]) -> Self {
        let mut makeup = Self::default();
        let (mut first, mut second) = (START, START);
        let mut was = Sort::Other;
        let mut counts = [0; 4];
        for byte in value {
            let sort = SORTS[usize::from(*byte)];
            counts[sort as usize] += 1;
            let joined = was != Sort::Other && sort != Sort::Other;
            makeup.turns +=
                usize::from(joined && was != sort && !(was == Sort::Upper && sort == Sort::Lower));
            if matches!(sort, Sort::Upper | Sort::Lower) {
                let letter = usize::from((byte | 0x20) - b'a');
                // A capital within a word begins another.
                if was == Sort::Lower && sort == Sort::Upper {
                    (first, second) = (START, START);
                }
                makeup.halves += usize::from(LEVELS[first * ROWS + second][letter]);
                (first, second) = (second, letter);
            } else {
                (first, second) = (START, START);
            }
            was = sort;
        }
        [makeup.upper, makeup.lower, makeup.digits, makeup.others] = counts;
        makeup
    }

    pub(crate) fn letters(&self) -> usize {
        self.upper + self.lower
    }

    /// Bits a letter; zero without letters.
    pub(crate) fn surprise(&self) -> f32 {
        if self.letters() == 0 { 0.0 } else { self.halves as f32 / 2.0 / self.letters() as f32 }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Upper,
    Lower,
    Digit,
    Other,
}

static SORTS: [Sort; 256] = {
    let mut sorts = [Sort::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        sorts[byte] = match byte as u8 {
            b'A'..=b'Z' => Sort::Upper,
            b'a'..=b'z' => Sort::Lower,
            b'0'..=b'9' => Sort::Digit,
            _ => Sort::Other,
        };
        byte += 1;
    }
    sorts
};

/// The table in numbers.
static LEVELS: [[u8; 26]; ROWS * ROWS] = {
    let mut levels = [[0; 26]; ROWS * ROWS];
    let mut row = 0;
    while row < ROWS * ROWS {
        let mut letter = 0;
        while letter < 26 {
            let level = LETTERS[row * ROW_BYTES + letter];
            levels[row][letter] = if level <= b'9' { level - b'0' } else { level - b'a' + 10 };
            letter += 1;
        }
        row += 1;
    }
    levels
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_surprise_less_than_letters_drawn_at_random() {
        assert_eq!(LETTERS.len(), ROWS * ROWS * ROW_BYTES);
        let surprise = |text: &str| Makeup::of(text.as_bytes()).surprise();
        for word in ["password", "maxConnectionsPerHost", "authorization_header", "Straße", "configuration"]
        {
            assert!(surprise(word) < 4.2, "{word} {}", surprise(word));
        }
        for random in ["zxvqkuco", "qxjTzkWv", "wqpzjxkfh", "kjQxzRvbW"] {
            assert!(surprise(random) > 4.8, "{random} {}", surprise(random));
        }
        assert_eq!(surprise("1234"), 0.0);
    }
}
