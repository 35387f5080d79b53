//! What functions are called.

use std::collections::BTreeMap;

use assay_metering::inspect::Inspection;
use rustc_demangle::demangle;

/// Longest name that is shown, characters.
const SHOWN_CHARACTERS_MAX: usize = 100;

/// Names of a module's functions by index.
#[derive(Debug)]
pub struct FunctionNames {
    imports: Vec<String>,
    own: BTreeMap<u32, String>,
}

impl FunctionNames {
    /// Names as the compiler wrote them, demangled, and those of imports.
    pub fn new(inspection: &Inspection) -> Self {
        let own = inspection.function_names.iter().map(|(index, name)| {
            // The hash at the end says nothing to a person.
            (*index, format!("{:#}", demangle(name)))
        });
        let imports = inspection.imports.iter().filter(|import| import.is_function);
        Self { imports: imports.map(|import| format!("host {}", import.name)).collect(), own: own.collect() }
    }

    /// The name of a function, or `func[7]` where the module has none. One line, and of bounded length.
    pub fn of(&self, function: u32) -> String {
        let index = usize::try_from(function).unwrap_or(usize::MAX);
        let name = self.imports.get(index).or_else(|| self.own.get(&function));
        let Some(name) = name.filter(|name| !name.is_empty()) else { return format!("func[{function}]") };
        let mut shown: String =
            name.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_CHARACTERS_MAX).collect();
        if shown.len() < name.len() {
            shown.push('…');
        }
        shown
    }

    /// Whether the module has names of its own functions.
    pub fn are_known(&self) -> bool {
        !self.own.is_empty()
    }
}
