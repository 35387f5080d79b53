//! Where a program's gas goes, function by function: the program with hooks ([`assay_metering::trace`]) in the reference
//! engine, and a call tree that the hooks fill. For the people who write modules; no result comes from here.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{End, HostFault, RunReport, RunRequest};

/// Most nodes of a call tree. What is called when it is full counts for the caller's node.
pub const NODES_MAX: usize = 20_000;
/// Deepest level of a call tree. What is called below counts for the node at that level.
pub const DEPTH_MAX: usize = 128;

/// What one function used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionGas {
    /// Its index in the module, imported functions first.
    pub function: u32,
    /// Times that it was called.
    pub calls: u64,
    /// Gas of its own code, and of what was added to it (growing of memory, bulk operators).
    pub self_gas: u64,
    /// The same with everything that it called; recursion counts once.
    pub total_gas: u64,
}

/// One place in the call tree: a function as it was called from one path of functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallNode {
    /// The function.
    pub function: u32,
    /// Index of the caller's node; `None`: the host called it.
    pub parent: Option<usize>,
    /// Gas of its own code on this path.
    pub self_gas: u64,
}

/// What a traced run gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// The report: equal to that of the same run without hooks.
    pub report: RunReport,
    /// Functions that were called, imported ones too, by index.
    pub functions: Vec<FunctionGas>,
    /// The call tree; a caller stands before what it called.
    pub nodes: Vec<CallNode>,
    /// Gas outside every function: instantiation, and the input and output of a function entry.
    pub outside_gas: u64,
    /// Functions that had not returned when the run ended, outermost first.
    pub stopped_in: Vec<u32>,
    /// Whether the tree is cut at [`NODES_MAX`] or [`DEPTH_MAX`]. The functions' figures are whole all the same.
    pub is_cut: bool,
}

/// Runs a program in the reference engine and counts gas by function. Takes a multiple of the time that it takes without.
///
/// # Errors
/// [`HostFault`] when this host could not run it to its end.
pub fn run_traced(request: &RunRequest) -> Result<Traced, HostFault> {
    let trace = Trace::default();
    let report = crate::run::run_with_hooks(request, &trace)?;
    // A run that stops without gas has used the limit, whatever the counter said before the charge that failed.
    let left = match report.end {
        End::OutOfGas => 0,
        _ => request.limits.gas_limit.saturating_sub(report.gas_used),
    };
    Ok(trace.finish(report, left))
}

/// A trace that hooks write to, shared with the engine's functions.
#[derive(Clone, Default)]
pub(crate) struct Trace(Arc<Mutex<Calls>>);

#[derive(Default)]
struct Calls {
    /// Functions that run, outermost first. Bounded by the guest's stack limit.
    frames: Vec<Frame>,
    nodes: Vec<CallNode>,
    /// Node of a function below a node.
    children: HashMap<(Option<usize>, u32), usize>,
    functions: BTreeMap<u32, Figures>,
    is_cut: bool,
}

struct Frame {
    function: u32,
    node: Option<usize>,
    /// Gas left when it was entered.
    entered: u64,
    /// Gas of what it called.
    called: u64,
}

#[derive(Default)]
struct Figures {
    calls: u64,
    self_gas: u64,
    total_gas: u64,
    /// How many of its calls run at the moment.
    active: u64,
}

impl Trace {
    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A function begins. Gas below zero is none.
    pub(crate) fn enter(&self, function: u32, gas_left: i64) {
        self.calls().enter(function, u64::try_from(gas_left).unwrap_or(0));
    }

    /// The function entered last ends.
    pub(crate) fn leave(&self, gas_left: i64) {
        self.calls().leave(u64::try_from(gas_left).unwrap_or(0));
    }

    fn finish(&self, report: RunReport, gas_left: u64) -> Traced {
        let mut calls = self.calls();
        let stopped_in = calls.frames.iter().map(|frame| frame.function).collect();
        while !calls.frames.is_empty() {
            calls.leave(gas_left);
        }
        let functions: Vec<FunctionGas> = calls
            .functions
            .iter()
            .map(|(function, figures)| FunctionGas {
                function: *function,
                calls: figures.calls,
                self_gas: figures.self_gas,
                total_gas: figures.total_gas,
            })
            .collect();
        let inside = functions.iter().map(|function| function.self_gas).fold(0, u64::saturating_add);
        let outside_gas = report.gas_used.saturating_sub(inside);
        Traced {
            report,
            functions,
            nodes: std::mem::take(&mut calls.nodes),
            outside_gas,
            stopped_in,
            is_cut: calls.is_cut,
        }
    }
}

impl Calls {
    fn enter(&mut self, function: u32, gas_left: u64) {
        let above = self.frames.last().and_then(|frame| frame.node);
        let node = self.node(above, function);
        let figures = self.functions.entry(function).or_default();
        figures.calls = figures.calls.saturating_add(1);
        figures.active = figures.active.saturating_add(1);
        self.frames.push(Frame { function, node, entered: gas_left, called: 0 });
    }

    fn node(&mut self, above: Option<usize>, function: u32) -> Option<usize> {
        if self.frames.len() >= DEPTH_MAX {
            self.is_cut = true;
            return above;
        }
        if let Some(known) = self.children.get(&(above, function)) {
            return Some(*known);
        }
        if self.nodes.len() >= NODES_MAX {
            self.is_cut = true;
            return above;
        }
        let place = self.nodes.len();
        self.nodes.push(CallNode { function, parent: above, self_gas: 0 });
        self.children.insert((above, function), place);
        Some(place)
    }

    fn leave(&mut self, gas_left: u64) {
        let Some(frame) = self.frames.pop() else { return };
        let total = frame.entered.saturating_sub(gas_left);
        let own = total.saturating_sub(frame.called);
        if let Some(caller) = self.frames.last_mut() {
            caller.called = caller.called.saturating_add(total);
        }
        if let Some(node) = frame.node.and_then(|node| self.nodes.get_mut(node)) {
            node.self_gas = node.self_gas.saturating_add(own);
        }
        let figures = self.functions.entry(frame.function).or_default();
        figures.self_gas = figures.self_gas.saturating_add(own);
        figures.active = figures.active.saturating_sub(1);
        if figures.active == 0 {
            figures.total_gas = figures.total_gas.saturating_add(total);
        }
    }
}
