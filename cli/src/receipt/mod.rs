//! `assay receipt`: show, check and compare receipts. Needs no chain, and no settings unless something is fetched.

mod check;
mod file;

use std::path::PathBuf;

use assay_sdk::receipt::{Comparison, Receipt, ReceiptSignature, compare};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;
use solana_pubkey::Pubkey;

pub use check::{
    Verdict, compare_runs, found, found_each, print_verdict, read_directory, record_fields, require_agreement,
    require_equal, shown_value,
};
pub use file::{load_file, write};

use crate::{
    context::GlobalArgs,
    engine::AgainArgs,
    error::{CliError, CliResult, Exit},
    output::Output,
    parse,
};

/// `assay receipt`.
#[derive(Debug, Subcommand)]
pub enum ReceiptCommand {
    /// Prints a receipt field by field, and what its signature is worth.
    #[command(
        after_help = "Exit codes: 0 shown, whatever its signature is worth · 1 it is no receipt or cannot be read · 2 wrong usage"
    )]
    Show(ShowArgs),
    /// Runs the receipt's task again and compares field by field. Asks no chain unless told to.
    #[command(after_help = VERIFY_EXIT_CODES)]
    Verify(VerifyArgs),
    /// Compares two receipts field by field.
    #[command(
        after_help = "Exit codes: 0 they tell the same run, whoever signed them · 3 they do not, or a signature is not the \
key's · 1 one of them is no receipt or cannot be read · 2 wrong usage"
    )]
    Diff(DiffArgs),
}

const VERIFY_EXIT_CODES: &str = "Exit codes: 0 everything agrees; a signature, if there is one, is valid · 3 something \
differs, or the signature is not the key's · 1 it could not be checked: no receipt, another job's directory, content that cannot be \
fetched, the sandbox failed · 2 wrong usage; with --job also 5 the job has no result and never will · 6 the job has not ended yet · \
7 the cluster cannot be reached";

/// `assay receipt show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// A receipt: a file, or the CID of a published one.
    #[arg(value_name = "RECEIPT")]
    receipt: String,
}

/// `assay receipt verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A receipt: a file, or the CID of a published one.
    #[arg(value_name = "RECEIPT")]
    receipt: String,
    /// The job directory; by default it is fetched from the content node by the receipt's job CID.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Compares with the chain's record of the job, too: the receipt's own, or of this address.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true, value_parser = parse::address)]
    job: Option<Option<Pubkey>>,
    #[command(flatten)]
    again: AgainArgs,
}

/// `assay receipt diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// A receipt: a file, or the CID of a published one.
    #[arg(value_name = "RECEIPT")]
    left: String,
    /// Another.
    #[arg(value_name = "RECEIPT")]
    right: String,
}

/// Runs `assay receipt`.
pub async fn run(globals: &GlobalArgs, command: ReceiptCommand) -> CliResult {
    match command {
        ReceiptCommand::Show(args) => show(globals, &args).await,
        ReceiptCommand::Verify(args) => check::verify(globals, &args).await,
        ReceiptCommand::Diff(args) => diff(globals, &args).await,
    }
}

/// A receipt as `--json` shows it: the file, and what follows from it.
#[derive(Debug, Serialize)]
struct Shown {
    receipt: Value,
    receipt_hash: String,
    signature: ReceiptSignature,
}

/// What a signature means, for people.
fn signature_text(receipt: &Receipt) -> String {
    let key = receipt.signed.map(|signed| signed.key.to_string()).unwrap_or_default();
    match receipt.check_signature() {
        ReceiptSignature::Missing => {
            "missing: nobody vouches for this receipt; whoever wrote the file can have written anything".to_owned()
        }
        ReceiptSignature::Valid => {
            format!("valid: {key} signed exactly this; only the chain says whose key that is (verify --job)")
        }
        ReceiptSignature::Wrong => format!("WRONG: {key} did not sign this; the file was changed or is forged"),
    }
}

/// The engine, and that nothing stands for it.
fn engine_text(receipt: &Receipt) -> String {
    match &receipt.engine {
        Some(engine) => format!("{} {} (not signed, not compared)", engine.name, engine.version),
        None => "not stated".to_owned(),
    }
}

async fn show(globals: &GlobalArgs, args: &ShowArgs) -> CliResult {
    let receipt = file::load(globals, &args.receipt).await?;
    let shown = Shown {
        receipt: serde_json::from_str(&receipt.to_json())?,
        receipt_hash: hex::encode(receipt.canonical().hash()),
        signature: receipt.check_signature(),
    };
    globals.output().result(&shown, || {
        for field in receipt.fields() {
            println!("{:<26} {}", field.name, shown_value(&field.value));
        }
        println!("{:<26} {}", "receipt hash", shown.receipt_hash);
        println!("{:<26} {}", "signature", signature_text(&receipt));
        println!("{:<26} {}", "engine", engine_text(&receipt));
    });
    Ok(())
}

/// What `assay receipt diff --json` prints.
#[derive(Debug, Serialize)]
struct Difference {
    /// Whether every field agrees, the signer's, too.
    equal: bool,
    /// Whether they differ in who signed alone: what anybody computes is a provider's receipt but for that.
    same_run: bool,
    /// Of the first and of the second: `valid`, `missing` or `wrong`.
    signatures: [ReceiptSignature; 2],
    fields: Vec<Comparison>,
}

impl Difference {
    fn new(left: &Receipt, right: &Receipt) -> Self {
        let mut fields = compare(&left.fields(), &right.fields());
        let same_run = fields.iter().all(|row| row.equal);
        let signer = |receipt: &Receipt| receipt.signed.map(|signed| signed.key.to_string());
        let signature = |receipt: &Receipt| receipt.signed.map(|signed| signed.signature.to_string());
        for (field, text) in
            [("provider_key", &signer as &dyn Fn(&Receipt) -> Option<String>), ("signature", &signature)]
        {
            let [claimed, found] = [left, right].map(|receipt| text(receipt).unwrap_or_else(|| "none".to_owned()));
            fields.push(Comparison { field, equal: claimed == found, claimed, found });
        }
        let signatures = [left.check_signature(), right.check_signature()];
        Self { equal: fields.iter().all(|row| row.equal), same_run, signatures, fields }
    }

    /// Exit code 3 when they tell different runs, or one of them is forged.
    fn check(&self) -> CliResult {
        let differs = |what: String| CliError::new(what).with_exit(Exit::Differs);
        if !self.same_run {
            let fields: Vec<_> = self.fields.iter().filter(|row| !row.equal).map(|row| row.field).collect();
            return Err(differs(format!("the receipts differ in {}", fields.join(", ")))
                .with_next("run the task again to see which is right: assay receipt verify RECEIPT --dir DIR"));
        }
        let which = match self.signatures.map(|signature| signature == ReceiptSignature::Wrong) {
            [false, false] => return Ok(()),
            [true, true] => "neither signature is its key's",
            [true, false] => "the first one's signature is not its key's",
            [false, true] => "the second one's signature is not its key's",
        };
        Err(differs(format!("the receipts tell the same run, but {which}"))
            .with_next("get the receipt from the provider again"))
    }
}

async fn diff(globals: &GlobalArgs, args: &DiffArgs) -> CliResult {
    let output: Output = globals.output();
    let (left, right) = (file::load(globals, &args.left).await?, file::load(globals, &args.right).await?);
    let difference = Difference::new(&left, &right);
    let checked = difference.check();
    let is_settled = checked.is_ok();
    output.result_and(&difference, checked, || {
        check::print_rows(&difference.fields, ("first", "second"));
        for (side, receipt) in [("first", &left), ("second", &right)] {
            println!("  {side:<7} signature {}", signature_text(receipt));
        }
        match (is_settled, difference.equal) {
            (true, true) => println!("the same receipt"),
            (true, false) => {
                println!("the same run; they differ in who signed alone");
                println!("next: ask the chain whose key that is: assay receipt verify RECEIPT --job");
            }
            (false, _) => {}
        }
    })
}
