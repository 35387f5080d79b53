//! Properties over the whole range of the inputs. Failing cases print their seed and inputs.

mod encodings;
mod money;
mod receipts;
mod statuses;
