//! The embedded engine: one tantivy index a tenant, in a folder of its own.
//!
//! Every document has one record entry (its version, also when it is deleted) and one entry a chunk. A write replaces
//! all entries of a document if its version is newer than the record's. Only chunks are searched, so that a
//! deletion is a record without chunks. An index that can't be opened is set aside: it is made anew from `golden/`.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use certus_protocol::ids::{DocumentId, Tenant, Version};
use tantivy::collector::DocSetCollector;
use tantivy::query::{BooleanQuery, Occur, TermQuery};
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::{Index as Engine, IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, Term, doc};

use super::words::{NAME, Words};
use super::{Answer, Content, Index, IndexError, Query, Record};
use crate::limits;

mod search;

/// Indexes of all tenants, in a folder; clones share it.
#[derive(Clone)]
pub struct Tantivy {
    root: Arc<PathBuf>,
    open: Arc<Mutex<HashMap<Tenant, Arc<TenantIndex>>>>,
}

/// One tenant's index.
struct TenantIndex {
    engine: Engine,
    reader: IndexReader,
    writer: Mutex<IndexWriter>,
    fields: Fields,
}

#[derive(Clone, Copy)]
struct Fields {
    role: Field,
    document: Field,
    id_high: Field,
    id_low: Field,
    version: Field,
    source: Field,
    kind: Field,
    language: Field,
    path: Field,
    path_words: Field,
    text: Field,
    stored: Field,
}

const RECORD: &str = "record";
const CHUNK: &str = "chunk";

impl Tantivy {
    /// Indexes under `root`.
    ///
    /// # Errors
    /// The folder can't be made.
    pub fn open(root: &Path) -> Result<Self, IndexError> {
        fs::create_dir_all(root).map_err(|error| IndexError::Engine(error.to_string()))?;
        Ok(Self { root: Arc::new(root.to_owned()), open: Arc::default() })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        tenant: &Tenant,
        work: impl FnOnce(&TenantIndex) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let (this, tenant) = (self.clone(), tenant.clone());
        let done = tokio::task::spawn_blocking(move || work(&*this.tenant(&tenant)?)).await;
        done.map_err(|error| IndexError::Engine(error.to_string()))?
    }

    fn tenant(&self, tenant: &Tenant) -> Result<Arc<TenantIndex>, IndexError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = open.get(tenant) {
            return Ok(index.clone());
        }
        if open.len() >= limits::INDEX_TENANTS_OPEN {
            // Any one that nobody uses now; it is opened again when it is asked for.
            let idle =
                open.iter().find(|(_, index)| Arc::strong_count(index) == 1).map(|(name, _)| name.clone());
            if let Some(idle) = idle {
                open.remove(&idle);
            }
        }
        let index = Arc::new(TenantIndex::open(&self.root.join(tenant.as_str()))?);
        open.insert(tenant.clone(), index.clone());
        Ok(index)
    }
}

#[async_trait]
impl Index for Tantivy {
    async fn write(&self, tenant: &Tenant, records: Vec<Record>) -> Result<(), IndexError> {
        self.blocking(tenant, move |index| index.write(records)).await
    }

    async fn search(&self, tenant: &Tenant, query: &Query) -> Result<Answer, IndexError> {
        let query = query.clone();
        self.blocking(tenant, move |index| search::search(index, &query)).await
    }

    async fn erase(&self, tenant: &Tenant, documents: &[DocumentId]) -> Result<(), IndexError> {
        let documents = documents.to_vec();
        self.blocking(tenant, move |index| index.erase(&documents)).await
    }

    async fn clear(&self, tenant: &Tenant) -> Result<(), IndexError> {
        self.blocking(tenant, |index| {
            let mut writer = index.writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer.delete_all_documents().map_err(engine)?;
            writer.commit().map_err(engine)?;
            writer.garbage_collect_files().wait().map_err(engine)?;
            index.reader.reload().map_err(engine)
        })
        .await
    }
}

impl TenantIndex {
    fn open(dir: &Path) -> Result<Self, IndexError> {
        fs::create_dir_all(dir).map_err(|error| IndexError::Engine(error.to_string()))?;
        match Self::try_open(dir) {
            Ok(index) => Ok(index),
            Err(error) => {
                let aside =
                    (0..).map(|n| dir.with_extension(format!("corrupt-{n}"))).find(|path| !path.exists());
                let Some(aside) = aside else { return Err(error) };
                tracing::error!(%error, aside = %aside.display(), "a search index can't be opened and is set aside; run `certus-hub rebuild`");
                fs::rename(dir, aside).map_err(|error| IndexError::Engine(error.to_string()))?;
                fs::create_dir_all(dir).map_err(|error| IndexError::Engine(error.to_string()))?;
                Self::try_open(dir)
            }
        }
    }

    fn try_open(dir: &Path) -> Result<Self, IndexError> {
        let (schema, fields) = schema();
        let directory = tantivy::directory::MmapDirectory::open(dir)
            .map_err(|error| IndexError::Engine(error.to_string()))?;
        let engine_index = Engine::open_or_create(directory, schema).map_err(engine)?;
        engine_index.tokenizers().register(NAME, Words);
        let writer = engine_index.writer_with_num_threads(1, limits::INDEX_WRITER_BYTES).map_err(engine)?;
        let reader =
            engine_index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into().map_err(engine)?;
        Ok(Self { engine: engine_index, reader, writer: Mutex::new(writer), fields })
    }

    fn write(&self, records: Vec<Record>) -> Result<(), IndexError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut newest: HashMap<DocumentId, Version> = HashMap::new();
        for record in records {
            let there = match newest.get(&record.document) {
                Some(version) => Some(*version),
                None => self.version(record.document)?,
            };
            if there.is_some_and(|there| there > record.version) {
                continue;
            }
            newest.insert(record.document, record.version);
            if let Err(error) = self.replace(&mut writer, &record) {
                writer.rollback().map_err(engine)?;
                return Err(error);
            }
        }
        if !newest.is_empty() {
            writer.commit().map_err(engine)?;
            self.reader.reload().map_err(engine)?;
        }
        Ok(())
    }

    fn replace(&self, writer: &mut IndexWriter, record: &Record) -> Result<(), IndexError> {
        let f = &self.fields;
        let id = record.document.to_string();
        writer.delete_term(Term::from_field_text(f.document, &id));
        let version = record.version.as_u64();
        let entry = doc!(f.role => RECORD, f.document => id.as_str(), f.version => version);
        writer.add_document(entry).map_err(engine)?;
        let Some(content) = &record.content else { return Ok(()) };
        let (high, low) = halves(record.document);
        for (number, chunk) in content.chunks.iter().enumerate() {
            let stored = Content { chunks: vec![chunk.clone()], ..content.clone_without_chunks() };
            let stored =
                serde_json::to_string(&stored).map_err(|error| IndexError::Engine(error.to_string()))?;
            let mut entry = doc!(
                f.role => CHUNK,
                f.document => id.as_str(),
                f.id_high => high,
                f.id_low => low,
                f.version => version,
                f.source => content.source.to_string(),
                f.kind => content.kind.as_str(),
                f.language => content.language.as_str(),
                f.path => content.path.as_str(),
                f.text => chunk.text.as_str(),
                f.stored => stored,
            );
            if number == 0 {
                entry.add_text(f.path_words, &content.path);
            }
            writer.add_document(entry).map_err(engine)?;
        }
        Ok(())
    }

    /// The version that the index has of a document.
    fn version(&self, document: DocumentId) -> Result<Option<Version>, IndexError> {
        let f = &self.fields;
        let term = |field, text: &str| -> Box<dyn tantivy::query::Query> {
            Box::new(TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::Basic))
        };
        let query = BooleanQuery::new(vec![
            (Occur::Must, term(f.document, &document.to_string())),
            (Occur::Must, term(f.role, RECORD)),
        ]);
        let searcher = self.reader.searcher();
        let mut newest = None;
        for address in searcher.search(&query, &DocSetCollector).map_err(engine)? {
            let column =
                searcher.segment_reader(address.segment_ord).fast_fields().u64("version").map_err(engine)?;
            newest = newest.max(column.first(address.doc_id).and_then(Version::from_u64));
        }
        Ok(newest)
    }

    /// Deletes the documents and rewrites the segments that held them, so that no byte of them stays in a file.
    fn erase(&self, documents: &[DocumentId]) -> Result<(), IndexError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        for document in documents {
            writer.delete_term(Term::from_field_text(self.fields.document, &document.to_string()));
        }
        writer.commit().map_err(engine)?;
        let segments = self.engine.searchable_segment_ids().map_err(engine)?;
        if !segments.is_empty() {
            writer.merge(&segments).wait().map_err(engine)?;
        }
        self.reader.reload().map_err(engine)?;
        writer.garbage_collect_files().wait().map_err(engine)?;
        Ok(())
    }
}

impl Content {
    fn clone_without_chunks(&self) -> Self {
        Self {
            source: self.source,
            source_name: self.source_name.clone(),
            kind: self.kind.clone(),
            path: self.path.clone(),
            reference: self.reference.clone(),
            language: self.language.clone(),
            media_type: self.media_type.clone(),
            modified_ms: self.modified_ms,
            chunks: Vec::new(),
        }
    }
}

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(NAME)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let words = TextOptions::default().set_indexing_options(indexing);
    let fields = Fields {
        role: builder.add_text_field("role", STRING),
        document: builder.add_text_field("document", STRING),
        id_high: builder.add_u64_field("id_high", FAST),
        id_low: builder.add_u64_field("id_low", FAST),
        version: builder.add_u64_field("version", FAST | INDEXED),
        source: builder.add_text_field("source", STRING | FAST),
        kind: builder.add_text_field("kind", STRING | FAST),
        language: builder.add_text_field("language", STRING | FAST),
        path: builder.add_text_field("path", STRING),
        path_words: builder.add_text_field("path_words", words.clone()),
        text: builder.add_text_field("text", words),
        stored: builder.add_text_field("stored", STORED),
    };
    (builder.build(), fields)
}

fn halves(document: DocumentId) -> (u64, u64) {
    let number = u128::from_be_bytes(document.0);
    ((number >> 64) as u64, number as u64)
}

fn engine(error: tantivy::TantivyError) -> IndexError {
    IndexError::Engine(error.to_string())
}

/// The document that an entry is of, as its stored form says it.
fn stored(entry: &TantivyDocument, field: Field) -> Result<Content, IndexError> {
    use tantivy::schema::Value;
    let text = entry.get_first(field).and_then(|value| value.as_str()).unwrap_or_default();
    serde_json::from_str(text)
        .map_err(|error| IndexError::Engine(format!("a stored chunk can't be read: {error}")))
}
