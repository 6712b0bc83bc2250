//! Answering: every matching chunk is scored, each document counts once by its best, the best documents are shown.

use std::collections::{BTreeMap, HashMap, HashSet};

use certus_protocol::ids::{DocumentId, Version};
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::{Column, StrColumn};
use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, Occur, PhraseQuery, Query as EngineQuery, RegexQuery, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, DocId, Score, SegmentOrdinal, SegmentReader, TantivyDocument, Term};

use super::{CHUNK, Fields, TenantIndex, engine, stored};
use crate::index::words::{Word, words};
use crate::index::{Answer, Facet, Hit, IndexError, Position, Query};
use crate::limits;

/// A word in a path counts a little more than one in a text.
const PATH_BOOST: f32 = 1.5;
/// Text shown around the first match, in bytes before and after.
const SHOWN_BYTES: usize = 160;

pub(super) fn search(index: &TenantIndex, query: &Query) -> Result<Answer, IndexError> {
    let asked = Asked::parse(&query.text)?;
    let searcher = index.reader.searcher();
    let matches = searcher.search(&built(&index.fields, query, &asked)?, &ByDocument).map_err(engine)?;
    let facets = matches.facets();
    let total = matches.best.len() as u64;
    let mut ordered: Vec<(u128, Best)> = matches.best.into_iter().collect();
    ordered.sort_unstable_by(|(a_id, a), (b_id, b)| b.score.total_cmp(&a.score).then(a_id.cmp(b_id)));
    if let Some(after) = query.after {
        let id = u128::from_be_bytes(after.document.0);
        ordered
            .retain(|(other, best)| best.score < after.score || (best.score == after.score && *other > id));
    }
    let more = ordered.len() > query.limit;
    ordered.truncate(query.limit);
    let mut hits = Vec::with_capacity(ordered.len());
    for (id, best) in &ordered {
        let entry: TantivyDocument = searcher.doc(best.address).map_err(engine)?;
        let content = stored(&entry, index.fields.stored)?;
        let text = content.chunks.first().map_or("", |chunk| chunk.text.as_str());
        let highlights = highlights(text, &asked);
        let document = DocumentId(id.to_be_bytes());
        let version =
            Version::from_u64(best.version).ok_or_else(|| IndexError::Engine("version".to_owned()))?;
        hits.push(Hit { document, version, score: best.score, content, highlights });
    }
    let next = hits.last().filter(|_| more).map(|hit| Position { score: hit.score, document: hit.document });
    Ok(Answer { total, hits, facets, next })
}

/// A query's words and phrases.
struct Asked {
    words: Vec<String>,
    phrases: Vec<Vec<String>>,
}

impl Asked {
    fn parse(text: &str) -> Result<Self, IndexError> {
        if text.len() > limits::QUERY_BYTES_MAX {
            return Err(IndexError::Query(format!("it is longer than {} bytes", limits::QUERY_BYTES_MAX)));
        }
        let mut asked = Self { words: Vec::new(), phrases: Vec::new() };
        for (number, piece) in text.split('"').enumerate() {
            let mut found = words(piece);
            found.dedup_by_key(|word| word.position);
            let found: Vec<String> = found.into_iter().map(|word| word.text).collect();
            if number % 2 == 1 && found.len() > 1 {
                asked.phrases.push(found);
            } else {
                asked.words.extend(found);
            }
        }
        if text.matches('"').count() % 2 == 1 {
            return Err(IndexError::Query("a quotation mark is not closed".to_owned()));
        }
        let mut seen = HashSet::new();
        asked.words.retain(|word| seen.insert(word.clone()));
        asked.words.truncate(limits::QUERY_WORDS_MAX);
        Ok(asked)
    }

    fn has(&self, word: &Word) -> bool {
        self.words.contains(&word.text) || self.phrases.iter().any(|phrase| phrase.contains(&word.text))
    }
}

fn built(f: &Fields, query: &Query, asked: &Asked) -> Result<BooleanQuery, IndexError> {
    let mut clauses: Vec<(Occur, Box<dyn EngineQuery>)> = vec![(Occur::Must, unscored(term(f.role, CHUNK)))];
    for phrase in &asked.phrases {
        let terms = phrase.iter().map(|word| Term::from_field_text(f.text, word)).collect();
        clauses.push((Occur::Must, Box::new(PhraseQuery::new(terms))));
    }
    let mut any: Vec<(Occur, Box<dyn EngineQuery>)> = Vec::new();
    for word in &asked.words {
        any.push((Occur::Should, term(f.text, word)));
        any.push((Occur::Should, Box::new(BoostQuery::new(term(f.path_words, word), PATH_BOOST))));
    }
    match (any.is_empty(), asked.phrases.is_empty()) {
        (false, true) => clauses.push((Occur::Must, Box::new(BooleanQuery::new(any)))),
        (false, false) => clauses.push((Occur::Should, Box::new(BooleanQuery::new(any)))),
        (true, true) => clauses.push((Occur::Must, unscored(Box::new(AllQuery)))),
        (true, false) => {}
    }
    let sources: Vec<String> = query.sources.iter().map(ToString::to_string).collect();
    for (field, values) in [(f.source, &sources), (f.language, &query.languages), (f.kind, &query.kinds)] {
        if !values.is_empty() {
            let one = values.iter().map(|value| (Occur::Should, term(field, value))).collect();
            clauses.push((Occur::Must, unscored(Box::new(BooleanQuery::new(one)))));
        }
    }
    if let Some(prefix) = query.path_prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
        let pattern = format!("{}(.|\n)*", escaped(prefix));
        let paths = RegexQuery::from_pattern(&pattern, f.path)
            .map_err(|_| IndexError::Query("path prefix".to_owned()))?;
        clauses.push((Occur::Must, unscored(Box::new(paths))));
    }
    Ok(BooleanQuery::new(clauses))
}

fn term(field: Field, text: &str) -> Box<dyn EngineQuery> {
    Box::new(TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::WithFreqs))
}

/// A condition that says nothing of how well a chunk matches.
fn unscored(query: Box<dyn EngineQuery>) -> Box<dyn EngineQuery> {
    Box::new(tantivy::query::ConstScoreQuery::new(query, 0.0))
}

/// The text as a pattern that finds just it.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// The text around the first match, in pieces that match and pieces that don't.
fn highlights(text: &str, asked: &Asked) -> Vec<(String, bool)> {
    let mut spans: Vec<(usize, usize)> =
        words(text).iter().filter(|word| asked.has(word)).map(|word| (word.start, word.end)).collect();
    spans.dedup_by(|later, earlier| later.0 < earlier.1);
    let first = spans.first().map_or(0, |span| span.0);
    let edge = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at += 1;
        }
        at
    };
    let from = edge(first.saturating_sub(SHOWN_BYTES));
    let to = edge((first + SHOWN_BYTES).min(text.len()));
    let mut pieces = Vec::new();
    let mut at = from;
    for (start, end) in spans.into_iter().filter(|(start, end)| *start >= from && *end <= to) {
        if start > at {
            pieces.push((text[at..start].to_owned(), false));
        }
        pieces.push((text[start..end].to_owned(), true));
        at = end;
    }
    if at < to {
        pieces.push((text[at..to].to_owned(), false));
    }
    pieces
}

/// A document's best chunk.
#[derive(Clone)]
struct Best {
    score: Score,
    address: DocAddress,
    version: u64,
    facets: [u32; 3],
}

/// What matches, by document; facet values are numbers into `values`.
#[derive(Default)]
struct Matches {
    best: HashMap<u128, Best>,
    values: [Vec<String>; 3],
}

const FACETS: [&str; 3] = ["source", "language", "kind"];

impl Matches {
    fn facets(&self) -> Vec<Facet> {
        let counted = |(number, field): (usize, &&'static str)| {
            let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
            for best in self.best.values() {
                let value = self.values[number].get(best.facets[number] as usize).map_or("", String::as_str);
                *counts.entry(value).or_default() += 1;
            }
            let mut values: Vec<(String, u64)> = counts
                .into_iter()
                .filter(|(value, _)| !value.is_empty())
                .map(|(v, n)| (v.to_owned(), n))
                .collect();
            values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            Facet { field, values }
        };
        FACETS.iter().enumerate().map(counted).collect()
    }
}

struct ByDocument;

struct OfSegment {
    ordinal: SegmentOrdinal,
    high: Column<u64>,
    low: Column<u64>,
    version: Column<u64>,
    columns: [Option<StrColumn>; 3],
    best: HashMap<u128, Best>,
}

impl Collector for ByDocument {
    type Fruit = Matches;
    type Child = OfSegment;

    fn for_segment(&self, ordinal: SegmentOrdinal, segment: &SegmentReader) -> tantivy::Result<OfSegment> {
        let fast = segment.fast_fields();
        let [source, language, kind] = FACETS;
        Ok(OfSegment {
            ordinal,
            high: fast.u64("id_high")?,
            low: fast.u64("id_low")?,
            version: fast.u64("version")?,
            columns: [fast.str(source)?, fast.str(language)?, fast.str(kind)?],
            best: HashMap::new(),
        })
    }

    fn requires_scoring(&self) -> bool {
        true
    }

    fn merge_fruits(&self, segments: Vec<Matches>) -> tantivy::Result<Matches> {
        let mut all = Matches::default();
        let mut numbers: [HashMap<String, u32>; 3] = Default::default();
        for segment in segments {
            // The segment's numbers of facet values become those of all segments.
            let renamed: Vec<Vec<u32>> = (0..3)
                .map(|facet| {
                    let number = |value: &String| {
                        *numbers[facet].entry(value.clone()).or_insert_with(|| {
                            all.values[facet].push(value.clone());
                            all.values[facet].len() as u32 - 1
                        })
                    };
                    segment.values[facet].iter().map(number).collect()
                })
                .collect();
            for (id, mut best) in segment.best {
                for (facet, number) in best.facets.iter_mut().enumerate() {
                    *number = renamed[facet].get(*number as usize).copied().unwrap_or(u32::MAX);
                }
                match all.best.get(&id) {
                    Some(there) if there.score >= best.score => {}
                    _ => drop(all.best.insert(id, best)),
                }
            }
        }
        Ok(all)
    }
}

impl SegmentCollector for OfSegment {
    type Fruit = Matches;

    fn collect(&mut self, doc: DocId, score: Score) {
        let half = |column: &Column<u64>| u128::from(column.first(doc).unwrap_or(0));
        let id = (half(&self.high) << 64) | half(&self.low);
        if self.best.get(&id).is_some_and(|best| best.score >= score) {
            return;
        }
        let facet = |column: &Option<StrColumn>| {
            let ordinal = column.as_ref().and_then(|column| column.ords().first(doc));
            ordinal.map_or(u32::MAX, |ordinal| ordinal as u32)
        };
        let facets = [facet(&self.columns[0]), facet(&self.columns[1]), facet(&self.columns[2])];
        let version = self.version.first(doc).unwrap_or(0);
        self.best.insert(id, Best { score, address: DocAddress::new(self.ordinal, doc), version, facets });
    }

    fn harvest(mut self) -> Matches {
        let mut values: [Vec<String>; 3] = Default::default();
        for (facet, column) in self.columns.iter().enumerate() {
            let Some(column) = column else { continue };
            let mut known: HashMap<u32, u32> = HashMap::new();
            for best in self.best.values_mut() {
                let ordinal = best.facets[facet];
                best.facets[facet] = *known.entry(ordinal).or_insert_with(|| {
                    let mut text = String::new();
                    // A value that can't be read counts as none.
                    if !column.ord_to_str(u64::from(ordinal), &mut text).unwrap_or(false) {
                        text.clear();
                    }
                    values[facet].push(text);
                    values[facet].len() as u32 - 1
                });
            }
        }
        Matches { best: self.best, values }
    }
}
