//! Properties over the whole range of the inputs. Failing cases print their seed and inputs.

mod draws;
mod encodings;
mod money;
mod receipts;
mod statuses;
mod tallies;
mod trust;
