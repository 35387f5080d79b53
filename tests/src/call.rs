//! One instruction with its accounts by name, so that a test can swap the one it is about.

use anchor_lang::{InstructionData, ToAccountMetas};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;

use crate::{assay, idl};

/// An instruction that has not been sent.
#[derive(Clone, Debug)]
pub struct Call {
    /// Name in the IDL.
    pub name: &'static str,
    /// What is sent.
    pub instruction: Instruction,
}

impl Call {
    /// From the generated client types.
    pub fn new(name: &'static str, accounts: &impl ToAccountMetas, args: &impl InstructionData) -> Self {
        let accounts = accounts.to_account_metas(None);
        Self { name, instruction: Instruction { program_id: assay::ID, accounts, data: args.data() } }
    }

    /// Another account in the place of this name. One that was left out is marked as the IDL says.
    #[must_use]
    pub fn with(mut self, account: &str, key: Pubkey) -> Self {
        let index = self.index(account);
        let slot = &idl::account_slots(self.name)[index];
        let meta = &mut self.instruction.accounts[index];
        if meta.pubkey == assay::ID {
            (meta.is_signer, meta.is_writable) = (slot.signer, slot.writable);
        }
        meta.pubkey = key;
        self
    }

    /// The signature of this account left out.
    #[must_use]
    pub fn unsigned(mut self, account: &str) -> Self {
        self.meta(account).is_signer = false;
        self
    }

    /// The account marked as one that may not change.
    #[must_use]
    pub fn readonly(mut self, account: &str) -> Self {
        self.meta(account).is_writable = false;
        self
    }

    /// The address in the place of this name.
    #[must_use]
    pub fn key(&self, account: &str) -> Pubkey {
        self.instruction.accounts[self.index(account)].pubkey
    }

    fn meta(&mut self, account: &str) -> &mut AccountMeta {
        let index = self.index(account);
        &mut self.instruction.accounts[index]
    }

    fn index(&self, account: &str) -> usize {
        let slots = idl::account_slots(self.name);
        let found = slots.iter().position(|slot| slot.name == account);
        found.unwrap_or_else(|| panic!("{} has no account {account}", self.name))
    }
}
