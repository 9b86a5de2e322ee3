//! Consul, by way of the HTTP API of its agents.
//!
//! # Theory of operation
//!
//! A [`Consul`] is a [`Catalog`]. `request` sends one request to the agent that is in use and says
//! what its answer means; `read` reads, and waits for a change; `find` answers the questions
//! of templates; `lock` is about sessions and locks; `failover` is about several agents in front of one cluster; `token`
//! reads the ACL token from a file; `wire` knows the agent's JSON.
//!
//! Namespace and partition go with every request as headers, as Consul Enterprise understands them
//! (namespaces since 1.7, partitions since 1.11). An open Consul refuses namespaces; partitions it
//! refuses since 1.11, and does not know of before.
//!
//! Every request may reach an agent twice without harm, except that a session would be opened twice:
//! that one is sent once.

mod failover;
mod find;
mod lock;
mod nodes;
mod options;
mod read;
mod request;
mod token;
mod wire;

pub use http_client::{Address, BuildError, Tls};
pub use options::{Options, Token};

use std::sync::Mutex;
use std::time::Duration;

use http_client::{Client, encode};
use hyper::header::{HeaderName, HeaderValue};

use catalog::{
    Answer, Catalog, Class, Error, Expiry, Found, Holding, Index, Query, Question, Reachability,
    Registered, Registration, Session, SessionTerms, Snapshot, Status,
};

use failover::Places;
use nodes::Nodes;
use read::{Freshness, check_key, known};
use request::Scope;
use token::TokenFile;

/// Consul's agents, one of which is in use.
pub struct Consul {
    client: Client,
    /// `None`: there is no token, or it never changes.
    token: Option<TokenFile>,
    timeout: Duration,
    max_stale: Option<Duration>,
    reachability: Reachability,
    places: Mutex<Places>,
    /// What each session may hold.
    locks: Mutex<Vec<(Session, String)>>,
    nodes: Nodes,
}

impl Consul {
    /// Reads the certificates and the token. Whatever can be wrong with the options is found here;
    /// nothing is sent.
    ///
    /// # Errors
    /// No address, a file that cannot be read or does not hold what it should, or a name that is
    /// none.
    pub fn build(options: Options) -> Result<Consul, BuildError> {
        let addresses: Vec<String> = options.addresses.iter().map(ToString::to_string).collect();
        let reachability = Reachability::new(format!("consul at {}", addresses.join(", ")));
        let mut headers = Vec::new();
        let mut file = None;
        match &options.token {
            None => {}
            Some(Token::Value(token)) => headers.push(token::header(token)?),
            Some(Token::File(path)) => file = Some(TokenFile::open(path)?),
        }
        if let Some((name, password)) = &options.login {
            headers.push(token::login(name, password)?);
        }
        let scopes = [
            ("x-consul-namespace", &options.namespace),
            ("x-consul-partition", &options.partition),
        ];
        for (name, value) in scopes {
            let Some(value) = value else { continue };
            let value = HeaderValue::from_str(value).map_err(|_| {
                BuildError::Option(format!("{value:?} is no name of a namespace or partition"))
            })?;
            headers.push((HeaderName::from_static(name), value));
        }
        Ok(Consul {
            client: Client::build(&options.addresses, headers)?,
            token: file,
            timeout: options.timeout,
            max_stale: options.max_stale,
            reachability,
            places: Mutex::default(),
            locks: Mutex::default(),
            nodes: Nodes::default(),
        })
    }
}

impl Catalog for Consul {
    fn reachability(&self) -> &Reachability {
        &self.reachability
    }

    fn expiry(&self) -> Expiry {
        Expiry::Critical
    }

    fn register<'a>(
        &'a self,
        registration: &'a Registration,
        status: Status,
        output: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            let body = wire::service(registration, status)?;
            match self.put("/v1/agent/service/register", body, Scope::Agent).await {
                Ok(reply) => self.served(&registration.id, reply.endpoint),
                Err(error) => {
                    if matches!(error, Error::Interrupted(_) | Error::Timeout(_)) {
                        self.scattered(&registration.id);
                    }
                    return Err(known(error));
                }
            }
            // A registration cannot carry the check's output, and a check that is there already, of
            // one of us that was killed, keeps its state.
            self.update(registration, status, output).await
        })
    }

    fn heartbeat<'a>(
        &'a self,
        registration: &'a Registration,
        status: Status,
        output: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(self.update(registration, status, output))
    }

    fn deregister<'a>(&'a self, registration: &'a Registration) -> Answer<'a, ()> {
        Box::pin(async move {
            self.take_out(&registration.id).await?;
            self.tidy().await;
            Ok(())
        })
    }

    fn lookup<'a>(&'a self, registration: &'a Registration) -> Answer<'a, Option<Registered>> {
        Box::pin(async move {
            let mut path = String::from("/v1/agent/service/");
            encode(&mut path, &registration.id);
            let found = match self.get(&path, Scope::Agent).await {
                Ok(reply) => wire::registered(&reply.body).map(Some),
                Err(Error::Unknown) => Ok(None),
                Err(error) => Err(error),
            };
            if !found.as_ref().is_err_and(|error| error.class() == Class::Outage) {
                self.tidy().await;
            }
            found
        })
    }

    fn instances<'a>(
        &'a self,
        query: &'a Query,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Snapshot> {
        Box::pin(async move {
            let path = find::instances_path(query);
            let found = self.read(&path, Freshness::Allowed, after, wait).await?;
            Ok(Snapshot { instances: wire::instances(&found.body)?, index: found.index })
        })
    }

    fn find<'a>(
        &'a self,
        question: &'a Question,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Found> {
        Box::pin(self.answer_to(question, after, wait))
    }

    fn places(&self) -> Option<Answer<'_, Option<usize>>> {
        Some(Box::pin(self.bearable()))
    }

    fn open_session<'a>(&'a self, terms: &'a SessionTerms) -> Answer<'a, Session> {
        Box::pin(self.open(terms))
    }

    fn renew_session<'a>(&'a self, session: &'a Session) -> Answer<'a, ()> {
        Box::pin(self.renew(session))
    }

    fn close_session<'a>(&'a self, session: &'a Session) -> Answer<'a, ()> {
        Box::pin(self.close(session))
    }

    fn acquire<'a>(
        &'a self,
        key: &'a str,
        session: &'a Session,
        _: &'a SessionTerms,
        value: &'a [u8],
    ) -> Answer<'a, Option<catalog::Token>> {
        Box::pin(self.lock(key, session, value))
    }

    fn holder<'a>(
        &'a self,
        key: &'a str,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Holding> {
        Box::pin(async move {
            check_key(key)?;
            let path = read::key_path(key, "");
            let found = self.read(&path, Freshness::Consistent, after, wait).await?;
            Ok(Holding { holder: wire::holder(&found.body)?, index: found.index })
        })
    }
}

impl Consul {
    async fn update(&self, wanted: &Registration, to: Status, output: &str) -> Result<(), Error> {
        let plain = to == Status::Passing && output.is_empty();
        let mut path =
            String::from(if plain { "/v1/agent/check/pass/" } else { "/v1/agent/check/update/" });
        encode(&mut path, &wanted.check_id);
        let body = if plain { Vec::new() } else { wire::update(to, output)? };
        let reply = self.put(&path, body, Scope::Agent).await?;
        self.served(&wanted.id, reply.endpoint);
        Ok(())
    }
}
