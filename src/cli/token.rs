//! `symbold token`: tokens, straight in the database.

use std::sync::Arc;

use anyhow::bail;
use clap::{Args, Subcommand};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::auth::{AuthService, Permission, SECRET_PREFIX, TokenRequest};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::db::tokens::TokenRecord;
use crate::server;

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Makes a token and prints its secret, alone, on standard output; it is never shown again
    Create(CreateArguments),
    /// Lists all tokens, the newest first, without their secrets
    List,
    /// Revokes a token at once
    Revoke {
        /// Its number, as the list shows it
        id: i64,
    },
}

#[derive(Debug, Args)]
pub(super) struct CreateArguments {
    /// E-mail address of its owner
    #[arg(long)]
    email: String,
    /// What it permits: `upload_symbols`, `upload_try_symbols`, `view_all_uploads` or `manage_tokens`; may be repeated
    #[arg(long = "permission", required = true, value_name = "PERMISSION")]
    permissions: Vec<Permission>,
    /// How many days it lives
    #[arg(long, default_value_t = 365)]
    days: u32,
    /// What it is for
    #[arg(long, default_value = "")]
    note: String,
}

pub(super) async fn run(command: TokenCommand, config: &Config) -> anyhow::Result<()> {
    let database = server::open_database(config).await?;
    let clock = Arc::new(SystemClock::new());
    let auth = AuthService::new(database, Arc::clone(&clock) as _);
    match command {
        TokenCommand::Create(arguments) => create(arguments, &auth).await,
        TokenCommand::List => list(&auth, clock.now()).await,
        TokenCommand::Revoke { id } => {
            if !auth.revoke(id).await? {
                bail!(
                    "there is no token {id} that was not revoked before; `symbold token list` shows all"
                );
            }
            eprintln!("symbold: token {id} is revoked");
            Ok(())
        }
    }
}

async fn create(arguments: CreateArguments, auth: &AuthService) -> anyhow::Result<()> {
    let CreateArguments {
        email,
        permissions,
        days,
        note,
    } = arguments;
    let secret = auth
        .create(TokenRequest {
            email,
            permissions,
            days,
            note,
        })
        .await?;
    println!("{}", secret.reveal());
    eprintln!(
        "symbold: clients that take only hexadecimal digits, such as Mozilla's upload-symbols, want it without \
         `{SECRET_PREFIX}`"
    );
    Ok(())
}

async fn list(auth: &AuthService, now: OffsetDateTime) -> anyhow::Result<()> {
    println!(
        "{:>6}  {:<8}  {:<10}  {:<30}  {:<40}  note",
        "id", "state", "expires", "e-mail", "permissions"
    );
    for record in auth.list().await? {
        let TokenRecord { id, token, .. } = &record;
        let expires = token
            .expires_at
            .format(format_description!("[year]-[month]-[day]"))
            .unwrap_or_default();
        let (state, permissions) = (state_of(&record, now), token.permissions.join(","));
        println!(
            "{id:>6}  {state:<8}  {expires:<10}  {:<30}  {permissions:<40}  {}",
            token.email, token.note
        );
    }
    Ok(())
}

fn state_of(record: &TokenRecord, now: OffsetDateTime) -> &'static str {
    if record.revoked_at.is_some() {
        "revoked"
    } else if record.token.expires_at <= now {
        "expired"
    } else {
        "active"
    }
}
