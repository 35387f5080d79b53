//! The subset of Kubo's RPC that a job's life needs, with Kubo's names and JSON shapes.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    io,
};

use axum::{
    Json, Router,
    extract::{
        Multipart, Query, State,
        multipart::{MultipartError, MultipartRejection},
    },
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    middleware,
    response::{IntoResponse, Response},
    routing::any,
};
use bytes::Bytes;
use cid::Cid;
use serde_json::{Value, json};

use super::{
    Shared, add,
    answer::{Refusal, blocking, bounded, guarded, rpc},
    export::stream_car,
    listing,
    resolve::{ContentPath, open, open_file, resolve},
};
use crate::{
    BlockGet, Import,
    car::{CarDecoder, CarError, CarLimits},
    limits::{BODY_BYTES_MAX, Budget, IMPORT_BATCH_BYTES},
    unpack::Found,
};

/// Query parameters by name.
pub(super) type Parameters = Query<HashMap<String, String>>;

/// A body of several parts, or why it is none.
pub(super) type Body = Result<Multipart, MultipartRejection>;

pub(super) fn parts(body: Body) -> Result<Multipart, Refusal> {
    body.map_err(|rejection| Refusal::new(rejection.status(), rejection.body_text()))
}

pub(super) fn router(state: Shared) -> Router {
    let commands = Router::new()
        .route("/version", any(version))
        .route("/id", any(id))
        .route("/add", any(add_handler))
        .route("/dag/import", any(dag_import))
        .route("/dag/export", any(dag_export))
        .route("/block/get", any(block_get))
        .route("/block/stat", any(block_stat))
        .route("/pin/ls", any(pin_ls))
        .route("/cat", any(cat))
        .route("/ls", any(ls))
        .fallback(unknown);
    Router::new()
        .nest("/api/v0", commands)
        .layer(middleware::from_fn_with_state(state.clone(), guarded))
        .layer(middleware::from_fn_with_state(state.clone(), bounded))
        .with_state(state)
}

async fn unknown() -> Response {
    let mut response = Refusal::bad_request("this node does not have that command").into_rpc();
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

async fn version() -> Response {
    let system = format!("{}/{}", std::env::consts::ARCH, std::env::consts::OS);
    let version = concat!("assay-", env!("CARGO_PKG_VERSION"));
    Json(json!({ "Version": version, "Commit": "", "Repo": "1", "System": system, "Golang": "" })).into_response()
}

/// The node has no peer identity: nobody dials it, it proves nothing by who it is.
async fn id() -> Response {
    let agent = concat!("assay-content/", env!("CARGO_PKG_VERSION"));
    Json(json!({ "ID": "", "PublicKey": "", "Addresses": [], "AgentVersion": agent, "Protocols": [] })).into_response()
}

async fn add_handler(State(state): State<Shared>, query: Parameters, body: Body) -> Response {
    rpc(add::add(state, query, body)).await
}

fn argument(query: &Parameters) -> Result<ContentPath, Refusal> {
    let argument = query.get("arg").ok_or_else(|| Refusal::bad_request("argument \"arg\" is required: a CID"))?;
    ContentPath::parse(argument)
}

fn number(query: &Parameters, name: &str) -> Result<Option<usize>, Refusal> {
    let parse = |text: &String| text.parse().map_err(|_| Refusal::bad_request(format!("{name} {text:?} is no number")));
    query.get(name).map(parse).transpose()
}

/// A flag, absent or empty meaning its default.
pub(super) fn flag(query: &Parameters, name: &str, default: FlagDefault) -> Result<bool, Refusal> {
    match query.get(name).map(String::as_str) {
        None | Some("") => Ok(default == FlagDefault::On),
        Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(other) => Err(Refusal::bad_request(format!("{name} {other:?} is neither true nor false"))),
    }
}

/// What an absent flag means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlagDefault {
    On,
    Off,
}

/// One JSON object per line, as Kubo streams results.
pub(super) fn lines(values: &[Value]) -> Response {
    let text: String = values.iter().map(|value| format!("{value}\n")).collect();
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
}

async fn dag_import(State(state): State<Shared>, query: Parameters, body: Body) -> Response {
    rpc(import(state, query, body)).await
}

async fn import(state: Shared, query: Parameters, body: Body) -> Result<Response, Refusal> {
    let pin_roots = flag(&query, "pin-roots", FlagDefault::On)?;
    let stats = flag(&query, "stats", FlagDefault::Off)?;
    let mut multipart = parts(body)?;
    let mut import = state.store.import();
    let (mut roots, mut blocks, mut bytes) = (Vec::new(), 0_u64, 0_u64);
    while let Some(mut part) = multipart.next_field().await.map_err(|error| broken(&error))? {
        let limits = CarLimits { bytes: BODY_BYTES_MAX, ..CarLimits::for_budget(&Budget::RESULT) };
        let (mut decoder, mut batch, mut batch_bytes) = (CarDecoder::new(limits), Vec::new(), 0);
        while let Some(piece) = part.chunk().await.map_err(|error| broken(&error))? {
            decoder.push(&piece)?;
            while let Some((cid, block)) = decoder.next_block()? {
                blocks += 1;
                bytes += block.len() as u64;
                batch_bytes += block.len();
                batch.push((cid, block));
            }
            if batch_bytes >= IMPORT_BATCH_BYTES {
                import = write_batch(import, std::mem::take(&mut batch)).await?;
                batch_bytes = 0;
            }
        }
        import = write_batch(import, batch).await?;
        roots.extend(decoder.finish()?);
    }
    if roots.is_empty() {
        return Err(Refusal::bad_request("the request holds no CAR with a root"));
    }
    let mut answers = Vec::new();
    if pin_roots {
        answers = blocking(move || Ok(roots.iter().map(|root| pin(&import, root)).collect())).await?;
    }
    if stats {
        answers.push(json!({ "Stats": { "BlockCount": blocks, "BlockBytesCount": bytes } }));
    }
    Ok(lines(&answers))
}

/// Kubo reports a failed pin beside the root and not as a failed request.
fn pin(import: &Import, root: &Cid) -> Value {
    let message = match import.pin(root) {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    };
    json!({ "Root": { "Cid": { "/": root.to_string() }, "PinErrorMsg": message } })
}

async fn write_batch(mut import: Import, batch: Vec<(Cid, Bytes)>) -> Result<Import, Refusal> {
    blocking(move || {
        import.put_verified(&batch)?;
        Ok(import)
    })
    .await
}

/// A request body that is no multipart, too large, too slow or cut.
pub(super) fn broken(error: &MultipartError) -> Refusal {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let mut causes = causes.filter_map(|cause| cause.downcast_ref::<io::Error>());
    if causes.any(|cause| cause.kind() == io::ErrorKind::TimedOut) {
        return Refusal::new(StatusCode::REQUEST_TIMEOUT, "the upload came too slowly; try again");
    }
    Refusal::new(error.status(), error.body_text())
}

impl From<CarError> for Refusal {
    fn from(error: CarError) -> Self {
        Self::bad_request(error.to_string())
    }
}

async fn dag_export(State(state): State<Shared>, query: Parameters) -> Response {
    let work = async move {
        let path = argument(&query)?;
        let shared = state.clone();
        let cid = blocking(move || {
            let cid = resolve(&shared.store, &path, &shared.budget)?;
            shared.store.get(&cid)?.ok_or_else(|| Refusal::not_found(cid))?;
            Ok(cid)
        })
        .await?;
        let car = [(CONTENT_TYPE, HeaderValue::from_static("application/vnd.ipld.car"))];
        Ok((car, stream_car(state.store.clone(), cid, Vec::new(), Some(cid))).into_response())
    };
    rpc(work).await
}

async fn one_block(state: Shared, query: Parameters) -> Result<(Cid, Bytes), Refusal> {
    let path = argument(&query)?;
    blocking(move || {
        let cid = resolve(&state.store, &path, &state.budget)?;
        Ok((cid, state.store.get(&cid)?.ok_or_else(|| Refusal::not_found(cid))?))
    })
    .await
}

async fn block_get(State(state): State<Shared>, query: Parameters) -> Response {
    rpc(async move { Ok(octets(one_block(state, query).await?.1)) }).await
}

async fn block_stat(State(state): State<Shared>, query: Parameters) -> Response {
    let work = async move {
        let (cid, block) = one_block(state, query).await?;
        Ok(Json(json!({ "Key": cid.to_string(), "Size": block.len() })).into_response())
    };
    rpc(work).await
}

/// Only recursive pins exist here.
async fn pin_ls(State(state): State<Shared>, query: Parameters) -> Response {
    let work = async move {
        let wanted = query.get("arg").map(|_| argument(&query)).transpose()?;
        let kind = query.get("type").map_or("all", String::as_str);
        if !matches!(kind, "all" | "recursive" | "direct" | "indirect") {
            return Err(Refusal::bad_request(format!("pin type {kind:?} is unknown")));
        }
        let listed = matches!(kind, "all" | "recursive");
        let pins = blocking(move || Ok(state.store.pins()?)).await?;
        let pins = pins.into_iter().filter(|pin| listed && wanted.as_ref().is_none_or(|path| path.root == *pin));
        let keys: BTreeMap<_, _> = pins.map(|pin| (pin.to_string(), json!({ "Type": "recursive" }))).collect();
        match (query.get("arg"), keys.is_empty()) {
            (Some(argument), true) => Err(Refusal::not_found(format!("a pin of {argument:?}"))),
            _ => Ok(Json(json!({ "Keys": keys })).into_response()),
        }
    };
    rpc(work).await
}

async fn cat(State(state): State<Shared>, query: Parameters) -> Response {
    let work = async move {
        let path = argument(&query)?;
        let (offset, length) = (number(&query, "offset")?.unwrap_or(0), number(&query, "length")?);
        let content = blocking(move || open_file(&state, &path)).await?;
        let start = offset.min(content.len());
        let end = length.map_or(content.len(), |length| content.len().min(start.saturating_add(length)));
        Ok(octets(content.slice(start..end)))
    };
    rpc(work).await
}

async fn ls(State(state): State<Shared>, query: Parameters) -> Response {
    let work = async move {
        let path = argument(&query)?;
        let asked = query.get("arg").cloned().unwrap_or_default();
        let links = blocking(move || match open(&state, &path)?.1 {
            Found::Directory(links) => listing::links(&state.store, &links),
            Found::File(..) => Ok(Vec::new()),
        })
        .await?;
        Ok(Json(json!({ "Objects": [{ "Hash": asked, "Links": links }] })).into_response())
    };
    rpc(work).await
}

fn octets(content: Bytes) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))], content).into_response()
}
