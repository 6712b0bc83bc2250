//! What every store, queue and index has to do, whatever stands behind it: one suite for each seam, run on all of them.
#![expect(clippy::unwrap_used, reason = "a failure ends the test")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use certus_hub::index::tantivy::Tantivy;
use certus_hub::index::{Chunk, Content, Index, Query, Record};
use certus_hub::objects::folder::Folder;
use certus_hub::objects::memory::Memory;
use certus_hub::objects::{Condition, Key, Objects, Put, Tag};
use certus_hub::queue::{Embedded, Queue};
use certus_hub::raw::LaneId;
use certus_protocol::ids::{AgentId, DocumentId, Epoch, Generation, Lane, Seq, SourceId, Tenant, Version};
use tokio::task::JoinSet;

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

async fn text(objects: &Arc<dyn Objects>, at: &str) -> Option<String> {
    let object = objects.get(&key(at)).await.unwrap();
    object.map(|object| String::from_utf8(object.bytes.to_vec()).unwrap())
}

async fn written(objects: &Arc<dyn Objects>, at: &str, what: &str, condition: Condition) -> Option<Tag> {
    match objects.put(&key(at), bytes(what), condition).await.unwrap() {
        Put::Written(tag) => Some(tag),
        Put::Refused => None,
    }
}

async fn objects_keep_their_contract(objects: Arc<dyn Objects>) {
    // What was put is there, whole; what was not is not.
    assert_eq!(text(&objects, "a/b").await, None);
    let first = written(&objects, "a/b", "one", Condition::Absent).await.expect("nothing is there");
    assert_eq!(text(&objects, "a/b").await.as_deref(), Some("one"));
    assert_eq!(objects.get(&key("a/b")).await.unwrap().unwrap().tag, first);

    // Conditions hold or nothing is written.
    assert_eq!(written(&objects, "a/b", "two", Condition::Absent).await, None);
    assert_eq!(written(&objects, "a/b", "two", Condition::Match(Tag("other".to_owned()))).await, None);
    assert_eq!(text(&objects, "a/b").await.as_deref(), Some("one"));
    let second = written(&objects, "a/b", "two", Condition::Match(first.clone())).await.expect("it matches");
    assert_ne!(first, second);
    assert_eq!(written(&objects, "a/b", "three", Condition::Match(first)).await, None);
    assert!(written(&objects, "a/b", "four", Condition::Always).await.is_some());
    assert_eq!(written(&objects, "nothing", "x", Condition::Match(second)).await, None);
    assert_eq!(text(&objects, "a/b").await.as_deref(), Some("four"));

    // Lists are in byte order, by prefix of the text, after a key, and bounded.
    for name in ["l/2", "l/10", "l/1", "l/1.x", "l/1-x/deep", "m/1", "l-x"] {
        assert!(written(&objects, name, name, Condition::Absent).await.is_some());
    }
    let list = async |prefix: &str, after: Option<&str>, limit: usize| -> Vec<String> {
        let after = after.map(key);
        let keys = objects.list(prefix, after.as_ref(), limit).await.unwrap();
        keys.iter().map(|key| key.as_str().to_owned()).collect()
    };
    assert_eq!(list("l/", None, 10).await, ["l/1", "l/1-x/deep", "l/1.x", "l/10", "l/2"]);
    assert_eq!(list("l/1", None, 10).await, ["l/1", "l/1-x/deep", "l/1.x", "l/10"]);
    assert_eq!(list("l/", Some("l/1.x"), 2).await, ["l/10", "l/2"]);
    assert_eq!(list("l/", Some("l/2"), 2).await, Vec::<String>::new());
    assert_eq!(list("z", None, 2).await, Vec::<String>::new());

    // Deleting is final, and harmless where there is nothing.
    objects.delete(&key("l/10")).await.unwrap();
    objects.delete(&key("l/10")).await.unwrap();
    assert_eq!(text(&objects, "l/10").await, None);
    assert_eq!(list("l/1", None, 10).await, ["l/1", "l/1-x/deep", "l/1.x"]);

    // Empty objects are objects.
    assert!(written(&objects, "empty", "", Condition::Absent).await.is_some());
    assert_eq!(text(&objects, "empty").await.as_deref(), Some(""));
    for wrong in ["", "/a", "a/", "a//b", "../a", "a/./b", "a b", "ü"] {
        assert!(Key::new(wrong).is_err(), "{wrong:?}");
    }
    races_have_one_winner(&objects).await;
}

async fn races_have_one_winner(objects: &Arc<dyn Objects>) {
    let mut racers = JoinSet::new();
    for racer in 0..16 {
        let objects = objects.clone();
        racers.spawn(async move {
            let won = written(&objects, "race", &racer.to_string(), Condition::Absent).await.is_some();
            // And each adds one to a number that all of them change.
            loop {
                let there = objects.get(&key("number")).await.unwrap();
                let (now, condition) = match there {
                    None => (0, Condition::Absent),
                    Some(object) => {
                        let text = String::from_utf8(object.bytes.to_vec()).unwrap();
                        (text.parse::<u32>().unwrap(), Condition::Match(object.tag))
                    }
                };
                if written(&objects, "number", &(now + 1).to_string(), condition).await.is_some() {
                    return won;
                }
            }
        });
    }
    let winners = racers.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(winners, 1);
    assert_eq!(text(objects, "number").await.as_deref(), Some("16"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_is_a_store() {
    objects_keep_their_contract(Arc::new(Memory::default())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_folder_is_a_store_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    objects_keep_their_contract(Arc::new(Folder::open(folder.path()).unwrap())).await;
    let again: Arc<dyn Objects> = Arc::new(Folder::open(folder.path()).unwrap());
    assert_eq!(text(&again, "a/b").await.as_deref(), Some("four"));
    assert_eq!(text(&again, "l/10").await, None);
    assert_eq!(again.list("l/", None, 10).await.unwrap().len(), 4);
}

fn lane(agent: u8) -> LaneId {
    let tenant = "acme".parse().unwrap();
    LaneId { tenant, agent: AgentId([agent; 16]), epoch: Epoch::FIRST, lane: Lane::Bulk }
}

async fn queues_keep_their_contract(queue: Arc<dyn Queue>) {
    // In order, each lane once however often it is announced.
    for agent in [1, 2, 1, 3, 2] {
        queue.publish(lane(agent)).await;
    }
    for agent in [1, 2, 3] {
        assert_eq!(queue.take().await, lane(agent));
    }
    // One that was taken may be announced again.
    queue.publish(lane(1)).await;
    assert_eq!(queue.take().await, lane(1));
    // Taking waits, and every waiter gets something.
    let mut waiters = JoinSet::new();
    for _ in 0..3 {
        let queue = queue.clone();
        waiters.spawn(async move { queue.take().await });
    }
    tokio::task::yield_now().await;
    for agent in [7, 8, 9] {
        queue.publish(lane(agent)).await;
    }
    let all = tokio::time::timeout(Duration::from_secs(10), waiters.join_all()).await;
    let mut taken = all.expect("every waiter is woken");
    taken.sort_by_key(|lane| lane.agent);
    assert_eq!(taken, [lane(7), lane(8), lane(9)]);
}

#[tokio::test]
async fn the_embedded_queue_is_a_queue() {
    queues_keep_their_contract(Arc::new(Embedded::default())).await;
}

const DOCS: SourceId = SourceId([1; 16]);
const CODE: SourceId = SourceId([2; 16]);

fn version(seq: u64) -> Version {
    Version::new(Generation(1), Seq(seq), 0).unwrap()
}

fn record(number: u8, seq: u64, what: Option<(SourceId, &str, &str, &str)>) -> Record {
    let content = what.map(|(source, path, language, text)| Content {
        source,
        source_name: "source".to_owned(),
        kind: "file".to_owned(),
        path: path.to_owned(),
        reference: String::new(),
        language: language.to_owned(),
        media_type: "text/plain".to_owned(),
        modified_ms: None,
        chunks: text
            .split('|')
            .enumerate()
            .map(|(at, text)| Chunk {
                ordinal: at as u32,
                line_start: at as u32 + 1,
                line_end: at as u32 + 1,
                text: text.to_owned(),
            })
            .collect(),
    });
    Record { document: DocumentId([number; 16]), version: version(seq), content }
}

fn asking(text: &str) -> Query {
    Query { text: text.to_owned(), limit: 10, ..Query::default() }
}

async fn found(index: &Arc<dyn Index>, tenant: &Tenant, query: Query) -> Vec<u8> {
    let answer = index.search(tenant, &query).await.unwrap();
    let mut found: Vec<u8> = answer.hits.iter().map(|hit| hit.document.0[0]).collect();
    assert_eq!(answer.total as usize, found.len());
    found.sort_unstable();
    found
}

async fn indexes_keep_their_contract(index: Arc<dyn Index>) {
    let (red, blue): (Tenant, Tenant) = ("red".parse().unwrap(), "blue".parse().unwrap());
    assert_eq!(found(&index, &red, asking("")).await, Vec::<u8>::new());
    let records = vec![
        record(1, 1, Some((DOCS, "guide/start.md", "markdown", "how to begin|then go on with zebras"))),
        record(2, 2, Some((CODE, "src/parse_url.rs", "rust", "fn parseUrlQuery() {}|zebras"))),
        record(3, 3, Some((CODE, "src/deep/other.rs", "rust", "nothing of interest"))),
    ];
    index.write(&red, records).await.unwrap();
    index
        .write(&blue, vec![record(9, 1, Some((DOCS, "guide/start.md", "markdown", "zebras of blue")))])
        .await
        .unwrap();

    // Words, parts of identifiers, phrases, all; each document once.
    assert_eq!(found(&index, &red, asking("zebras")).await, [1, 2]);
    assert_eq!(found(&index, &red, asking("query")).await, [2]);
    assert_eq!(found(&index, &red, asking("\"go on\"")).await, [1]);
    assert_eq!(found(&index, &red, asking("\"on go\"")).await, Vec::<u8>::new());
    assert_eq!(found(&index, &red, asking("")).await, [1, 2, 3]);
    assert_eq!(found(&index, &blue, asking("zebras")).await, [9]);
    assert_eq!(found(&index, &blue, asking("begin")).await, Vec::<u8>::new());

    // Filters.
    assert_eq!(found(&index, &red, Query { sources: vec![CODE], ..asking("zebras") }).await, [2]);
    assert_eq!(
        found(&index, &red, Query { path_prefix: Some("src/".to_owned()), ..asking("") }).await,
        [2, 3]
    );
    assert_eq!(
        found(&index, &red, Query { languages: vec!["markdown".to_owned()], ..asking("") }).await,
        [1]
    );
    assert_eq!(
        found(&index, &red, Query { kinds: vec!["commit".to_owned()], ..asking("") }).await,
        Vec::<u8>::new()
    );

    // Facets count documents, highlights show what matched, the chunk knows its lines.
    let answer = index.search(&red, &asking("zebras")).await.unwrap();
    let languages = answer.facets.iter().find(|facet| facet.field == "language").unwrap();
    let mut counts = languages.values.clone();
    counts.sort();
    assert_eq!(counts, [("markdown".to_owned(), 1), ("rust".to_owned(), 1)]);
    for hit in &answer.hits {
        assert!(
            hit.highlights.iter().any(|(text, matched)| *matched && text == "zebras"),
            "{:?}",
            hit.highlights
        );
        assert_eq!(hit.content.chunks[0].line_start, 2);
    }

    // Pages do not overlap and leave nothing out.
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = index.search(&red, &Query { limit: 1, after, ..asking("") }).await.unwrap();
        assert_eq!(page.total, 3);
        seen.extend(page.hits.iter().map(|hit| hit.document.0[0]));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3]);
    versions_decide(&index, &red).await;

    index.erase(&red, &[DocumentId([1; 16])]).await.unwrap();
    assert_eq!(found(&index, &red, asking("newest")).await, Vec::<u8>::new());
    index.clear(&red).await.unwrap();
    assert_eq!(found(&index, &red, asking("")).await, Vec::<u8>::new());
    assert_eq!(found(&index, &blue, asking("")).await, [9]);
}

async fn versions_decide(index: &Arc<dyn Index>, red: &Tenant) {
    let text = |words| Some((DOCS, "guide/start.md", "markdown", words));
    // An older one changes nothing, whatever it says; a newer one replaces all chunks.
    index.write(red, vec![record(1, 5, text("newest words"))]).await.unwrap();
    index.write(red, vec![record(1, 4, text("older words")), record(1, 3, None)]).await.unwrap();
    assert_eq!(found(index, red, asking("newest")).await, [1]);
    assert_eq!(found(index, red, asking("older")).await, Vec::<u8>::new());
    assert_eq!(found(index, red, asking("begin")).await, Vec::<u8>::new());
    // Deleted stays deleted against what is older, and comes back with what is newer.
    index.write(red, vec![record(2, 10, None)]).await.unwrap();
    index.write(red, vec![record(2, 9, Some((CODE, "src/parse_url.rs", "rust", "late")))]).await.unwrap();
    assert_eq!(found(index, red, asking("")).await, [1, 3]);
    index.write(red, vec![record(2, 11, Some((CODE, "src/parse_url.rs", "rust", "back")))]).await.unwrap();
    assert_eq!(found(index, red, asking("back")).await, [2]);
    // Several versions in one write: the newest counts.
    let versions = [12, 14, 13].map(|seq| record(3, seq, Some((CODE, "src/deep/other.rs", "rust", "again"))));
    index.write(red, versions.to_vec()).await.unwrap();
    let answer = index.search(red, &asking("again")).await.unwrap();
    assert_eq!((answer.total, answer.hits[0].version), (1, version(14)));
}

#[tokio::test]
async fn tantivy_is_an_index_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    indexes_keep_their_contract(Arc::new(Tantivy::open(folder.path()).unwrap())).await;
    let again: Arc<dyn Index> = Arc::new(Tantivy::open(folder.path()).unwrap());
    assert_eq!(found(&again, &"blue".parse().unwrap(), asking("zebras")).await, [9]);
}
