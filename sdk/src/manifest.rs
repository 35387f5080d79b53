//! The job manifest: `manifest.json` in the root of a job directory.
//!
//! Whether bytes are a valid manifest decides between a run and `Invalid`, so the rules here are part of the
//! profile: every host must answer alike. They depend on nothing but the bytes.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use assay_protocol::TaskLimits;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use thiserror::Error;

use crate::strict_json::{Object, object_or_null, unique_keys};

/// Name of the manifest in a job directory.
pub const MANIFEST_FILE_NAME: &str = "manifest.json";
/// Largest manifest, 64 KiB.
pub const MANIFEST_BYTES_MAX: usize = 64 << 10;
/// Most arguments.
pub const ARGS_MAX: usize = 1_024;
/// Most environment variables.
pub const ENV_MAX: usize = 256;
/// Longest path in a manifest, in bytes.
pub const PATH_BYTES_MAX: usize = 1_024;
/// Longest component of a path, in bytes.
pub const PATH_COMPONENT_BYTES_MAX: usize = 255;
/// Longest exported function name, in bytes.
pub const FUNCTION_NAME_BYTES_MAX: usize = 256;

/// What a job runs and how. `executable`, `args` and `output_path` are a complete manifest; everything else has a
/// meaning when it is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Assay job manifest")]
pub struct JobManifest {
    /// The WebAssembly module, a path in the job directory.
    pub executable: String,
    /// Arguments after the program's name.
    #[serde(default)]
    pub args: Vec<String>,
    /// The directory that the guest may write and that becomes `output/` of the result, a path in the job directory.
    #[serde(alias = "outputPath")]
    pub output_path: String,
    /// Environment variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "unique_keys")]
    pub env: BTreeMap<String, String>,
    /// A file of the job directory that the guest reads as its standard input; absent is an empty input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
    /// How the module is entered; absent is the first kind that the module's exports offer.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "name_or_null")]
    pub entry: Option<ManifestEntry>,
    /// The exported function that `entry: "function"` calls; given alone it implies that entry.
    #[serde(default, alias = "functionName", skip_serializing_if = "Option::is_none")]
    pub function_name: Option<String>,
    /// Limits; an absent one is whatever the job account says.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "object_or_null")]
    pub limits: Option<ManifestLimits>,
    /// Seed of the guest's randomness; absent is whatever the job account says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Start of the guest's clock, nanoseconds since the Unix epoch; absent is whatever the job account says.
    #[serde(default, alias = "clockUnixNs", skip_serializing_if = "Option::is_none")]
    pub clock_unix_ns: Option<u64>,
}

/// How a module is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ManifestEntry {
    /// A WASI command: `_start`.
    Command,
    /// A WASI reactor: `_initialize` if it is there, then `run`; JSON on stdin and stdout.
    Reactor,
    /// The export named by `function_name`, with `alloc` and `(ptr, len) -> packed (ptr, len)`.
    Function,
}

/// Limits that a manifest pins. A manifest whose limits differ from the job account's gives the outcome Invalid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestLimits {
    /// Most gas.
    #[serde(default, alias = "gasLimit", skip_serializing_if = "Option::is_none")]
    pub gas_limit: Option<u64>,
    /// Most linear memory in bytes, a multiple of 65,536.
    #[serde(default, alias = "memoryBytes", skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Most stack in bytes.
    #[serde(default, alias = "stackBytes", skip_serializing_if = "Option::is_none")]
    pub stack_bytes: Option<u64>,
    /// Most bytes of the result's files.
    #[serde(default, alias = "outputBytes", skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
    /// Most bytes of stdout and of stderr, each.
    #[serde(default, alias = "stdioBytes", skip_serializing_if = "Option::is_none")]
    pub stdio_bytes: Option<u64>,
}

/// Why bytes are no manifest: what and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// More than [`MANIFEST_BYTES_MAX`].
    #[error("manifest.json is {bytes} bytes long; at most {MANIFEST_BYTES_MAX} are allowed")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not JSON, a wrong type, an unknown, missing or doubled field.
    #[error("manifest.json, line {line}, column {column}: {problem}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A field has a value that is not allowed.
    #[error("manifest.json, field `{field}`: {problem}")]
    Field {
        /// Which field.
        field: Cow<'static, str>,
        /// What is wrong with it.
        problem: String,
    },
}

impl ManifestError {
    fn field(field: impl Into<Cow<'static, str>>, problem: impl Into<String>) -> Self {
        Self::Field { field: field.into(), problem: problem.into() }
    }
}

/// A field of the manifest that differs from the job account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskMismatch {
    /// Which field.
    pub field: &'static str,
    /// What the manifest says.
    pub manifest: u64,
    /// What the job account says.
    pub account: u64,
}

impl fmt::Display for TaskMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {} in the manifest and {} in the job account", self.field, self.manifest, self.account)
    }
}

impl JobManifest {
    /// A minimum manifest.
    #[must_use]
    pub fn new(executable: impl Into<String>, output_path: impl Into<String>) -> Self {
        Self {
            executable: executable.into(),
            args: Vec::new(),
            output_path: output_path.into(),
            env: BTreeMap::new(),
            stdin: None,
            entry: None,
            function_name: None,
            limits: None,
            seed: None,
            clock_unix_ns: None,
        }
    }

    /// Reads and checks a manifest.
    ///
    /// ```
    /// use assay_sdk::JobManifest;
    /// let text = r#"{"executable": "job.wasm", "args": ["--fast"], "output_path": "output/"}"#;
    /// let manifest = JobManifest::from_json(text.as_bytes())?;
    /// assert_eq!(manifest.output_path(), "output");
    /// # Ok::<(), assay_sdk::manifest::ManifestError>(())
    /// ```
    ///
    /// # Errors
    /// [`ManifestError`] says what is wrong and where.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLarge { bytes: bytes.len() });
        }
        let at_start = |problem: &str| ManifestError::Syntax { line: 1, column: 1, problem: problem.to_owned() };
        if bytes.trim_ascii().is_empty() {
            return Err(at_start("the file is empty"));
        }
        if bytes.starts_with(b"\xef\xbb\xbf") || bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(at_start("it begins with a byte order mark; save it as UTF-8 without one"));
        }
        let Object(manifest) = serde_json::from_slice::<Object<Self>>(bytes).map_err(|error| {
            let text = error.to_string();
            // serde_json appends the position, which this error states first.
            let problem = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem).to_owned();
            ManifestError::Syntax { line: error.line(), column: error.column(), problem }
        })?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Writes the manifest as indented JSON with a final line break.
    ///
    /// # Errors
    /// [`ManifestError`] when it is not valid, see [`Self::check`].
    pub fn to_json(&self) -> Result<String, ManifestError> {
        self.check()?;
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| ManifestError::field("manifest", format!("cannot be written as JSON: {error}")))?;
        text.push('\n');
        Ok(text)
    }

    /// The JSON schema of a manifest: fields, aliases and types. [`Self::check`] has the rules that a schema does not
    /// express.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        let mut schema = schemars::schema_for!(Self).to_value();
        add_aliases(&mut schema, &["output_path", "function_name", "clock_unix_ns"]);
        if let Some(limits) = schema.pointer_mut("/$defs/ManifestLimits") {
            add_aliases(limits, &["gas_limit", "memory_bytes", "stack_bytes", "output_bytes", "stdio_bytes"]);
        }
        schema
    }

    /// Checks every rule that the JSON types do not express.
    ///
    /// # Errors
    /// [`ManifestError::Field`] names the first field that breaks one.
    pub fn check(&self) -> Result<(), ManifestError> {
        check_path("executable", &self.executable)?;
        check_path("output_path", self.output_path())?;
        for (field, path) in [("executable", Some(&self.executable)), ("stdin", self.stdin.as_ref())] {
            let Some(path) = path else { continue };
            check_path(field, path)?;
            if is_at_or_below(path, self.output_path()) {
                return Err(ManifestError::field(field, "is inside `output_path`, which the guest overwrites"));
            }
        }
        if is_at_or_below(MANIFEST_FILE_NAME, self.output_path()) {
            return Err(ManifestError::field("output_path", "names the manifest itself"));
        }
        self.check_args()?;
        self.check_env()?;
        self.check_entry()?;
        if let Some(limits) = self.limits {
            let resolved = limits.resolve(&TaskLimits::default());
            if !resolved.is_within_bounds() {
                return Err(ManifestError::field("limits", out_of_bounds(&resolved)));
            }
        }
        Ok(())
    }

    /// [`Self::output_path`](field@Self::output_path) without its optional final slash.
    #[must_use]
    pub fn output_path(&self) -> &str {
        self.output_path.strip_suffix('/').unwrap_or(&self.output_path)
    }

    /// The entry that the manifest asks for, if it asks for one.
    #[must_use]
    pub const fn entry(&self) -> Option<ManifestEntry> {
        match (self.entry, &self.function_name) {
            (None, Some(_)) => Some(ManifestEntry::Function),
            (entry, _) => entry,
        }
    }

    /// The first limit, seed or clock that is present and differs from the job account's.
    #[must_use]
    pub fn mismatch(&self, limits: &TaskLimits, seed: u64, clock_unix_ns: u64) -> Option<TaskMismatch> {
        let own = self.limits.unwrap_or_default();
        [
            ("limits.gas_limit", own.gas_limit, limits.gas_limit),
            ("limits.memory_bytes", own.memory_bytes, limits.memory_bytes),
            ("limits.stack_bytes", own.stack_bytes, limits.stack_bytes),
            ("limits.output_bytes", own.output_bytes, limits.output_bytes),
            ("limits.stdio_bytes", own.stdio_bytes, limits.stdio_bytes),
            ("seed", self.seed, seed),
            ("clock_unix_ns", self.clock_unix_ns, clock_unix_ns),
        ]
        .into_iter()
        .find_map(|(field, manifest, account)| {
            let manifest = manifest.filter(|manifest| *manifest != account)?;
            Some(TaskMismatch { field, manifest, account })
        })
    }

    fn check_args(&self) -> Result<(), ManifestError> {
        if self.args.len() > ARGS_MAX {
            let problem = format!("has {} entries; at most {ARGS_MAX} are allowed", self.args.len());
            return Err(ManifestError::field("args", problem));
        }
        match self.args.iter().position(|arg| arg.contains('\0')) {
            Some(index) => Err(ManifestError::field(format!("args[{index}]"), "contains a NUL character")),
            None => Ok(()),
        }
    }

    fn check_env(&self) -> Result<(), ManifestError> {
        if self.env.len() > ENV_MAX {
            let problem = format!("has {} entries; at most {ENV_MAX} are allowed", self.env.len());
            return Err(ManifestError::field("env", problem));
        }
        for (key, value) in &self.env {
            let problem = if key.is_empty() {
                "has an empty name"
            } else if key.contains(['=', '\0']) {
                "has `=` or a NUL character in its name"
            } else if value.contains('\0') {
                "contains a NUL character"
            } else {
                continue;
            };
            return Err(ManifestError::field(format!("env.{}", key.escape_debug()), problem));
        }
        Ok(())
    }

    fn check_entry(&self) -> Result<(), ManifestError> {
        match (self.entry, &self.function_name) {
            (Some(ManifestEntry::Function), None) => {
                Err(ManifestError::field("function_name", "is missing; `entry` is \"function\""))
            }
            (Some(ManifestEntry::Command | ManifestEntry::Reactor), Some(_)) => {
                Err(ManifestError::field("function_name", "is only allowed with `entry`: \"function\""))
            }
            (_, Some(name)) if name.is_empty() || name.len() > FUNCTION_NAME_BYTES_MAX => {
                Err(ManifestError::field("function_name", format!("must be 1 to {FUNCTION_NAME_BYTES_MAX} bytes long")))
            }
            _ => Ok(()),
        }
    }
}

impl ManifestLimits {
    /// These limits, with `base` where one is absent.
    #[must_use]
    pub fn resolve(&self, base: &TaskLimits) -> TaskLimits {
        TaskLimits {
            gas_limit: self.gas_limit.unwrap_or(base.gas_limit),
            memory_bytes: self.memory_bytes.unwrap_or(base.memory_bytes),
            stack_bytes: self.stack_bytes.unwrap_or(base.stack_bytes),
            output_bytes: self.output_bytes.unwrap_or(base.output_bytes),
            stdio_bytes: self.stdio_bytes.unwrap_or(base.stdio_bytes),
        }
    }
}

/// Adds the camel-case spelling of fields to an object's schema: it knows each, and takes one of the two at most, exactly
/// one where the field is required.
fn add_aliases(schema: &mut serde_json::Value, fields: &[&str]) {
    let mut rules = Vec::new();
    for field in fields {
        let alias = camel_case(field);
        let spellings = [json!({ "required": [field] }), json!({ "required": [alias] })];
        let required = schema.get_mut("required").and_then(serde_json::Value::as_array_mut);
        let place = required.as_ref().and_then(|names| names.iter().position(|name| name == field));
        rules.push(match (required, place) {
            (Some(names), Some(place)) => {
                names.remove(place);
                json!({ "oneOf": spellings })
            }
            _ => json!({ "not": { "required": [field, alias] } }),
        });
        schema["properties"][alias] = schema["properties"][*field].clone();
    }
    schema["allOf"] = rules.into();
}

fn camel_case(field: &str) -> String {
    let mut words = field.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at_checked(1).unwrap_or_default();
        name + &initial.to_ascii_uppercase() + rest
    })
}

/// Says which limit leaves the protocol's bounds, and which values are allowed.
#[must_use]
pub fn out_of_bounds(limits: &TaskLimits) -> String {
    use assay_protocol::limits as bound;
    let rows = [
        ("gas_limit", limits.gas_limit, 1, bound::GAS_LIMIT_MAX),
        ("memory_bytes", limits.memory_bytes, bound::WASM_PAGE_BYTES, bound::MEMORY_BYTES_MAX),
        ("stack_bytes", limits.stack_bytes, bound::STACK_BYTES_MIN, bound::STACK_BYTES_MAX),
        ("output_bytes", limits.output_bytes, 1, bound::OUTPUT_BYTES_MAX),
        ("stdio_bytes", limits.stdio_bytes, 0, bound::STDIO_BYTES_MAX),
    ];
    for (name, value, least, most) in rows {
        if value < least || value > most {
            return format!("{name} is {value}; {least} to {most} are allowed");
        }
    }
    format!("memory_bytes is {}; it must be a multiple of {}", limits.memory_bytes, bound::WASM_PAGE_BYTES)
}

/// Whether `path` is `directory` or lies below it; both without a final slash.
fn is_at_or_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Relative, components separated by `/`, none of them empty, `.` or `..`, no backslash or control character (P4,
/// C-10).
fn check_path(field: &'static str, path: &str) -> Result<(), ManifestError> {
    let problem = if path.is_empty() {
        "is empty"
    } else if path.len() > PATH_BYTES_MAX {
        "is longer than 1,024 bytes"
    } else if path.starts_with('/') {
        "is an absolute path; give one relative to the job directory"
    } else if path.split('/').any(|part| part == "..") {
        "contains `..`; a job sees nothing outside its directory"
    } else if path.split('/').any(|part| part == ".") {
        "contains a `.` component; write the path without it"
    } else if path.split('/').any(str::is_empty) {
        "contains an empty component"
    } else if path.split('/').any(|part| part.len() > PATH_COMPONENT_BYTES_MAX) {
        "contains a component longer than 255 bytes"
    } else if path.contains('\\') {
        "contains a backslash; separate components by `/`"
    } else if path.chars().any(char::is_control) {
        "contains a control character"
    } else {
        return Ok(());
    };
    Err(ManifestError::field(field, format!("\"{}\" {problem}", path.escape_debug())))
}

/// The name of a kind. Serde's derived reader takes an object with that name and `null` as well.
fn name_or_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    name.map(|name| T::deserialize(serde::de::value::StringDeserializer::new(name))).transpose()
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
