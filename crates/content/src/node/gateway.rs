//! The trustless gateway: blocks and CARs for those who verify, files for those who do not.

use std::collections::HashMap;

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{
            ACCEPT, ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH,
            CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RANGE, VARY,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;

use super::{
    Shared,
    answer::{Refusal, blocking, bounded},
    export::stream_car,
    listing,
    resolve::{ContentPath, Recorder, open, resolve},
};
use crate::{
    BlockGet,
    unpack::{Found, Reader},
};

const CAR_TYPE: &str = "application/vnd.ipld.car";
const RAW_TYPE: &str = "application/vnd.ipld.raw";
/// What is under a CID never changes.
const IMMUTABLE: &str = "public, max-age=29030400, immutable";
/// What a listing looks like may.
const A_WEEK: &str = "public, max-age=604800";

/// `bafkqaaa` is the empty block, whole in its CID: by it clients find out whether this is a gateway.
pub(super) fn router(state: Shared) -> Router {
    Router::new()
        .route("/ipfs/bafkqaaa", get(|| async { ([(CONTENT_TYPE, RAW_TYPE)], "") }))
        .route("/ipfs/{*path}", get(answer))
        .route("/health", get(|| async { "ok\n" }))
        .layer(middleware::from_fn_with_state(state.clone(), bounded))
        .with_state(state)
}

/// What the client wants to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Car,
    Raw,
    File,
}

/// How much of the DAG goes into a CAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    All,
    Entity,
    Block,
}

async fn answer(
    State(state): State<Shared>,
    Path(path): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let path = ContentPath::parse(&path)?;
    let format = format(&query, &headers)?;
    let mut response = match format {
        Format::Car => car(state, &path, scope(&query)?).await?,
        Format::Raw => raw(state, &path, &headers).await?,
        Format::File => file(state, &path, &headers).await?,
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Content from strangers runs no script with this origin.
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'; img-src 'self'"));
    let roots = HeaderValue::try_from(path.root.to_string());
    headers.insert(HeaderName::from_static("x-ipfs-roots"), roots.expect("a CID is ASCII"));
    Ok(response)
}

/// The query counts more than the header: a person wrote it.
fn format(query: &HashMap<String, String>, headers: &HeaderMap) -> Result<Format, Refusal> {
    match query.get("format").map(String::as_str) {
        Some("car") => return Ok(Format::Car),
        Some("raw") => return Ok(Format::Raw),
        Some(other) => {
            return Err(Refusal::bad_request(format!("format {other:?} is not served; car and raw are")));
        }
        None => {}
    }
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    for media in accepted.flat_map(|accept| accept.split(',')) {
        let mut parts = media.split(';').map(str::trim);
        match parts.next().unwrap_or_default() {
            CAR_TYPE if parts.any(|part| part == "version=2") => {
                return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, "CAR version 2 is not served; version 1 is"));
            }
            CAR_TYPE => return Ok(Format::Car),
            RAW_TYPE => return Ok(Format::Raw),
            _ => {}
        }
    }
    Ok(Format::File)
}

fn scope(query: &HashMap<String, String>) -> Result<Scope, Refusal> {
    match query.get("dag-scope").map_or("all", String::as_str) {
        "all" => Ok(Scope::All),
        "entity" => Ok(Scope::Entity),
        "block" => Ok(Scope::Block),
        other => Err(Refusal::bad_request(format!("dag-scope {other:?} is unknown; all, entity and block are known"))),
    }
}

async fn car(state: Shared, path: &ContentPath, scope: Scope) -> Result<Response, Refusal> {
    let (path, shared) = (path.clone(), state.clone());
    let (cid, proof) = blocking(move || {
        let recorder = Recorder::new(&shared.store);
        let cid = resolve(&recorder, &path, &shared.budget)?;
        match scope {
            // The first block decides between an answer and "not found"; the rest follows in the stream.
            Scope::All | Scope::Block => {
                recorder.get(&cid)?.ok_or_else(|| Refusal::not_found(cid))?;
            }
            Scope::Entity => {
                Reader::new(&recorder, &shared.budget).visit(&cid, "")?;
            }
        }
        Ok((cid, recorder.take()))
    })
    .await?;
    let below = (scope == Scope::All).then_some(cid);
    let body = stream_car(state.store.clone(), cid, proof, below);
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/vnd.ipld.car; version=1; order=dfs; dups=n"));
    cacheable(headers, &format!("{cid}.car"), IMMUTABLE);
    download(headers, &format!("{cid}.car"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
    Ok(response)
}

async fn raw(state: Shared, path: &ContentPath, request: &HeaderMap) -> Result<Response, Refusal> {
    let path = path.clone();
    let (cid, block) = blocking(move || {
        let cid = resolve(&state.store, &path, &state.budget)?;
        Ok((cid, state.store.get(&cid)?.ok_or_else(|| Refusal::not_found(cid))?))
    })
    .await?;
    let mut response = bytes(block, &format!("{cid}.raw"), request);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(RAW_TYPE));
    download(headers, &format!("{cid}.bin"));
    Ok(response)
}

async fn file(state: Shared, path: &ContentPath, request: &HeaderMap) -> Result<Response, Refusal> {
    let asked = path.clone();
    let (cid, found) = blocking(move || open(&state, &asked)).await?;
    match found {
        Found::File(_, content) => {
            let media = media_type(path.names.last().map_or("", String::as_str));
            let mut response = bytes(content, &cid.to_string(), request);
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
            Ok(response)
        }
        Found::Directory(links) => {
            let html = [(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))];
            let mut response = (html, listing::page(path, &links)).into_response();
            cacheable(response.headers_mut(), &format!("{cid}.html"), A_WEEK);
            Ok(response)
        }
    }
}

/// Bytes that never change: whole, one range of them, or "you have them".
fn bytes(content: Bytes, tag: &str, request: &HeaderMap) -> Response {
    let mut response =
        if has_tag(request, tag) { StatusCode::NOT_MODIFIED.into_response() } else { ranged(content, request) };
    cacheable(response.headers_mut(), tag, IMMUTABLE);
    response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    response
}

fn ranged(content: Bytes, request: &HeaderMap) -> Response {
    let total = content.len();
    let Some(range) = request.get(RANGE).and_then(|range| range.to_str().ok()) else {
        return sized(StatusCode::OK, content);
    };
    match byte_range(range, total) {
        // Several ranges or another unit: the standard allows to send everything.
        ByteRange::Ignored => sized(StatusCode::OK, content),
        ByteRange::Unsatisfiable => {
            let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
            response.headers_mut().insert(CONTENT_RANGE, ascii(&format!("bytes */{total}")));
            response
        }
        ByteRange::Part(first, last) => {
            let mut response = sized(StatusCode::PARTIAL_CONTENT, content.slice(first..=last));
            response.headers_mut().insert(CONTENT_RANGE, ascii(&format!("bytes {first}-{last}/{total}")));
            response
        }
    }
}

fn sized(status: StatusCode, content: Bytes) -> Response {
    let length = ascii(&content.len().to_string());
    (status, [(CONTENT_LENGTH, length)], Body::from(content)).into_response()
}

#[derive(Debug, PartialEq, Eq)]
enum ByteRange {
    Ignored,
    Unsatisfiable,
    Part(usize, usize),
}

/// `bytes=first-last`, `bytes=first-` or `bytes=-suffix`.
fn byte_range(header: &str, total: usize) -> ByteRange {
    let spec = header.strip_prefix("bytes=").map(str::trim);
    let Some((first, last)) = spec.filter(|spec| !spec.contains(',')).and_then(|spec| spec.split_once('-')) else {
        return ByteRange::Ignored;
    };
    let end = total.saturating_sub(1);
    let (first, last) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.min(end)),
        (Ok(first), Err(_)) if last.is_empty() => (first, end),
        (Err(_), Ok(suffix)) if first.is_empty() && suffix > 0 => (total.saturating_sub(suffix), end),
        (Err(_), Ok(_)) if first.is_empty() => return ByteRange::Unsatisfiable,
        _ => return ByteRange::Ignored,
    };
    if first < total { ByteRange::Part(first, last) } else { ByteRange::Unsatisfiable }
}

fn has_tag(request: &HeaderMap, tag: &str) -> bool {
    let given = request.get_all(IF_NONE_MATCH).iter().filter_map(|given| given.to_str().ok());
    given.flat_map(|given| given.split(',')).any(|given| {
        let given = given.trim();
        given == "*" || given.trim_start_matches("W/").trim_matches('"') == tag
    })
}

fn cacheable(headers: &mut HeaderMap, tag: &str, control: &'static str) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(control));
    headers.insert(ETAG, ascii(&format!("\"{tag}\"")));
}

fn download(headers: &mut HeaderMap, name: &str) {
    headers.insert(CONTENT_DISPOSITION, ascii(&format!("attachment; filename=\"{name}\"")));
}

fn ascii(text: &str) -> HeaderValue {
    HeaderValue::try_from(text).expect("numbers and CIDs are ASCII")
}

/// By the name's ending. What is not known is a download, never guessed from the bytes.
fn media_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    match ending.as_str() {
        "txt" | "log" => "text/plain; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "webp" => "image/webp",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        assert_eq!(byte_range("bytes=0-3", 10), ByteRange::Part(0, 3));
        assert_eq!(byte_range("bytes=4-", 10), ByteRange::Part(4, 9));
        assert_eq!(byte_range("bytes=-4", 10), ByteRange::Part(6, 9));
        assert_eq!(byte_range("bytes=-40", 10), ByteRange::Part(0, 9));
        assert_eq!(byte_range("bytes=5-400", 10), ByteRange::Part(5, 9));
        assert_eq!(byte_range("bytes=10-", 10), ByteRange::Unsatisfiable);
        assert_eq!(byte_range("bytes=-0", 10), ByteRange::Unsatisfiable);
        assert_eq!(byte_range("bytes=0-", 0), ByteRange::Unsatisfiable);
        for odd in ["bytes=3-2", "bytes=a-b", "bytes=0-1,3-4", "lines=0-1", "bytes=-", "bytes", ""] {
            assert_eq!(byte_range(odd, 10), ByteRange::Ignored, "{odd}");
        }
    }
}
