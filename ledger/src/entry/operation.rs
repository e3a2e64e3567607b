//! The closed sets of an entry: what can be done, and how it can end.

use std::fmt;

macro_rules! coded {
    ($(#[$doc:meta])* $name:ident { $($(#[$item:meta])* $variant:ident = $code:literal $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$item])* $variant,)+ }

        impl $name {
            /// Every one, by code.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The number that stands for it in the ledger.
            pub const fn code(self) -> u64 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// Its name, as shown and as parsed.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The one with this number.
            pub const fn from_code(code: u64) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }

            /// The one with this name.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use coded;

coded! {
    /// What was done, or tried.
    Operation {
        /// The log was begun.
        Genesis = 0 "genesis",
        /// The node started.
        NodeStart = 1 "node-start",
        /// Values were replaced by tokens.
        Tokenize = 2 "tokenize",
        /// Tokens were presented for their values.
        Detokenize = 3 "detokenize",
        /// A key was made.
        KeyCreate = 4 "key-create",
        /// A key got a new version.
        KeyRotate = 5 "key-rotate",
        /// A key version was destroyed.
        KeyDestroy = 6 "key-destroy",
        /// The policy set was replaced.
        PolicySet = 7 "policy-set",
        /// A unit was registered or changed.
        UnitSet = 8 "unit-set",
        /// A caller could not prove who it is.
        AuthRefused = 9 "auth-refused",
        /// A caller may not speak now.
        AdmissionRefused = 10 "admission-refused",
        /// A request could not be understood.
        RequestRefused = 11 "request-refused",
        /// Tokens and their values were erased.
        Erase = 12 "erase",
        /// A payload was encrypted under a key.
        Encrypt = 13 "encrypt",
        /// A ciphertext was presented for its payload.
        Decrypt = 14 "decrypt",
        /// A ciphertext moved to another key, version or context, without showing its payload.
        ReEncrypt = 15 "re-encrypt",
        /// A data key was made and wrapped.
        DataKey = 16 "data-key",
        /// A message authentication code was made.
        Mac = 17 "mac",
        /// A message authentication code was presented for a verdict.
        MacVerify = 18 "mac-verify",
        /// A message was signed.
        Sign = 19 "sign",
        /// A signature was presented for a verdict.
        Verify = 20 "verify",
        /// Random bytes were given.
        Random = 21 "random",
        /// A key's description or public half was read.
        KeyRead = 22 "key-read",
        /// Keys were listed.
        KeyList = 23 "key-list",
        /// A key's names, tags, schedule or lowest version were changed.
        KeySet = 24 "key-set",
        /// A suspended key became active.
        KeyEnable = 25 "key-enable",
        /// A key was suspended.
        KeyDisable = 26 "key-disable",
        /// A key will be destroyed after a waiting period.
        KeyScheduleDeletion = 27 "key-schedule-deletion",
        /// A scheduled destruction was called off.
        KeyCancelDeletion = 28 "key-cancel-deletion",
        /// A key version was declared compromised.
        KeyCompromise = 29 "key-compromise",
        /// A key's material was brought in, or what is needed to bring it was given.
        KeyImport = 30 "key-import",
        /// A key left as a wrapped backup.
        KeyBackup = 31 "key-backup",
        /// A key came back from a wrapped backup.
        KeyRestore = 32 "key-restore",
        /// Stored values were sealed anew under a key's newest version.
        KeyReseal = 33 "key-reseal",
        /// Key versions were wrapped anew, under another root key.
        RootRotate = 34 "root-rotate",
        /// What a token is was read, without its value.
        TokenRead = 35 "token-read",
        /// Tokens were switched off.
        TokenDisable = 36 "token-disable",
        /// Tokens were switched on again.
        TokenEnable = 37 "token-enable",
        /// Tokens got other tokens in their place, and stopped.
        TokenReplace = 38 "token-replace",
        /// Tokens moved to another data class.
        TokenMove = 39 "token-move",
        /// Tokens were purged by their age, or counted for it.
        TokenPurge = 40 "token-purge",
        /// A legal hold was placed.
        HoldPlace = 41 "hold-place",
        /// A legal hold was lifted.
        HoldLift = 42 "hold-lift",
        /// A value's tokens were searched for.
        Search = 43 "search",
        /// Values were indexed anew, under another normal form.
        Reindex = 44 "reindex",
        /// The database came back from a backup.
        Restore = 45 "restore",
        /// A ticket was made, for a named unit to redeem.
        TicketIssue = 46 "ticket-issue",
        /// A ticket was presented for its values.
        TicketRedeem = 47 "ticket-redeem",
        /// A grant for many values was asked for.
        GrantRequest = 48 "grant-request",
        /// A grant was approved by another person's unit.
        GrantApprove = 49 "grant-approve",
        /// A grant was taken back.
        GrantRevoke = 50 "grant-revoke",
        /// Honeytokens were planted.
        HoneytokenPlant = 51 "honeytoken-plant",
        /// Something happened that people are told of at once.
        Alert = 52 "alert",
        /// A unit was locked out.
        UnitLock = 53 "unit-lock",
        /// A locked unit was let in again.
        UnitUnlock = 54 "unit-unlock",
        /// An access token was made for a unit.
        AccessTokenIssue = 55 "access-token-issue",
        /// A unit's access token was exchanged, for the gateway that carries the unit.
        AccessTokenExchange = 56 "access-token-exchange",
        /// An access token was asked for and refused.
        AccessTokenRefused = 57 "access-token-refused",
        /// A new unit was proposed, or a change that widens one.
        UnitPropose = 63 "unit-propose",
        /// That was approved. With the last approval it is in force.
        UnitApprove = 64 "unit-approve",
        /// That was turned down.
        UnitRefuse = 65 "unit-refuse",
        /// That was taken back by who proposed it.
        UnitWithdraw = 66 "unit-withdraw",
        /// A unit was changed, in ways that widen nothing.
        UnitChange = 67 "unit-change",
        /// A unit was suspended.
        UnitSuspend = 68 "unit-suspend",
        /// That a suspended unit acts again was proposed.
        UnitResume = 69 "unit-resume",
        /// A unit was retired, for good.
        UnitRetire = 70 "unit-retire",
        /// Units' registrations, or proposals, were read.
        UnitRead = 71 "unit-read",
        /// The file of units was read anew, and is in force.
        UnitsReload = 72 "units-reload",
        /// A policy set was put up for approval.
        PolicyPropose = 73 "policy-propose",
        /// A policy set was approved by another unit than the one that put it up.
        PolicyApprove = 74 "policy-approve",
        /// More refusals of one kind within a minute, counted.
        AdmissionTally = 80 "admission-tally",
        /// Checkpoints behind this entry are signed by another key.
        SignerRotate = 81 "signer-rotate",
        /// From here on pseudonyms are made under another epoch's key.
        EpochOpen = 82 "epoch-open",
        /// An epoch's key was destroyed: nobody can tell any more whom its pseudonyms stand for.
        EpochErase = 83 "epoch-erase",
        /// The node's database goes on in another life: it was restored, or found elsewhere than it was left.
        IncarnationOpen = 84 "incarnation-open",
        /// A detail that an entry commits to was read.
        DetailRead = 85 "detail-read",
        /// A detail that an entry commits to was erased, with its salt.
        DetailErase = 86 "detail-erase",
    }
}

coded! {
    /// How it ended.
    Outcome {
        /// Done.
        Ok = 0 "ok",
        /// Refused by policy.
        Denied = 1 "denied",
        /// Failed.
        Error = 2 "error",
    }
}
