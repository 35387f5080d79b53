//! The bound on constant expressions: engines take them recursively, or compile them (W-03, W-14).

use wasmparser::{ConstExpr, DataKind, ElementItems, ElementKind, Payload};

use crate::{
    MeterError,
    bounds::{self, check},
};

/// Refuses a section with a constant expression over the bound, as far as the section can be read: what cannot is for
/// the validator to refuse.
pub(crate) fn check_operators(payload: &Payload<'_>) -> Result<(), MeterError> {
    match payload {
        Payload::GlobalSection(section) => {
            section.clone().into_iter().map_while(Result::ok).try_for_each(|global| check_one(&global.init_expr))
        }
        Payload::ElementSection(section) => {
            for element in section.clone().into_iter().map_while(Result::ok) {
                if let ElementKind::Active { offset_expr, .. } = &element.kind {
                    check_one(offset_expr)?;
                }
                if let ElementItems::Expressions(_, items) = element.items {
                    items.into_iter().map_while(Result::ok).try_for_each(|item| check_one(&item))?;
                }
            }
            Ok(())
        }
        Payload::DataSection(section) => {
            section.clone().into_iter().map_while(Result::ok).try_for_each(|data| match &data.kind {
                DataKind::Active { offset_expr, .. } => check_one(offset_expr),
                DataKind::Passive => Ok(()),
            })
        }
        _ => Ok(()),
    }
}

fn check_one(expression: &ConstExpr<'_>) -> Result<(), MeterError> {
    let mut reader = expression.get_operators_reader();
    let mut with_end = 0_u64;
    while !reader.eof() && reader.read().is_ok() {
        with_end = with_end.saturating_add(1);
    }
    let operators = with_end.saturating_sub(1);
    check("number of a constant expression's operators", operators, bounds::CONSTANT_OPERATORS_MAX)
}
