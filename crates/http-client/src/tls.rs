//! The client side of TLS, from files.

mod provider;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use crate::BuildError;
use crate::endpoint::Protocol;

/// Where Debian, Alpine and those built on them keep the authorities that the system trusts.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Names another such file, by OpenSSL's convention.
const SYSTEM_VARIABLE: &str = "SSL_CERT_FILE";

/// TLS options of a client. Everything empty: the system's authorities, verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// File with the authorities' certificates (PEM).
    pub ca_file: Option<PathBuf>,
    /// Folder of such files.
    pub ca_path: Option<PathBuf>,
    /// Our certificate (PEM).
    pub client_cert: Option<PathBuf>,
    /// Its key (PEM).
    pub client_key: Option<PathBuf>,
    /// The name that the peer's certificate must have, instead of the host's.
    pub server_name: Option<String>,
    /// Do not verify the peer's certificate.
    pub insecure: bool,
}

const CA: &str = "CA certificates";
const CERT: &str = "client certificate";
const KEY: &str = "client key";

/// Reads the files that `options` name.
pub(crate) fn connector(options: &Tls, protocol: Protocol) -> Result<TlsConnector, BuildError> {
    let provider = Arc::new(provider::provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| BuildError::Option(format!("TLS: {error}")))?;
    let builder = if options.insecure {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider)))
    } else {
        builder.with_root_certificates(roots(options)?)
    };
    let mut config = match (&options.client_cert, &options.client_key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => {
            let chain = certificates(CERT, cert)?;
            let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| pem_error(KEY, key, e))?;
            builder.with_client_auth_cert(chain, secret).map_err(|error| {
                let error = match error {
                    rustls::Error::General(words) => words,
                    other => other.to_string(),
                };
                let reason = format!("not usable with {}: {error}", cert.display());
                BuildError::Content { what: KEY, path: key.clone(), reason }
            })?
        }
        (Some(cert), None) => {
            let cert = cert.display();
            return Err(BuildError::Option(format!("client certificate {cert} without its key")));
        }
        (None, Some(key)) => {
            let key = key.display();
            return Err(BuildError::Option(format!("client key {key} without its certificate")));
        }
    };
    if protocol == Protocol::Http2 {
        config.alpn_protocols.push(b"h2".to_vec());
    }
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots(options: &Tls) -> Result<RootCertStore, BuildError> {
    let mut files = Vec::new();
    files.extend(options.ca_file.clone());
    if let Some(folder) = &options.ca_path {
        files.extend(listing(folder)?);
    }
    let ours = !files.is_empty();
    if !ours {
        files.push(std::env::var_os(SYSTEM_VARIABLE).map_or_else(|| SYSTEM.into(), PathBuf::from));
    }
    let mut roots = RootCertStore::empty();
    for file in &files {
        for certificate in certificates(CA, file)? {
            let added = roots.add(certificate);
            // The system's collection may hold one that is not understood; ours should not.
            if let (Err(error), true) = (added, ours) {
                let reason = error.to_string();
                return Err(BuildError::Content { what: CA, path: file.clone(), reason });
            }
        }
    }
    Ok(roots)
}

/// The files in a folder, in the order of their names.
fn listing(folder: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let unreadable = |source| BuildError::Read { what: CA, path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_file() {
            files.insert(files.partition_point(|other| *other < path), path);
        }
    }
    if files.is_empty() {
        let reason = "the folder holds no file".to_owned();
        return Err(BuildError::Content { what: CA, path: folder.to_owned(), reason });
    }
    Ok(files)
}

fn certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| pem_error(what, path, error))?;
    if found.is_empty() {
        return Err(pem_error(what, path, pem::Error::NoItemsFound));
    }
    Ok(found)
}

fn pem_error(what: &'static str, path: &Path, error: pem::Error) -> BuildError {
    let path = path.to_owned();
    match error {
        pem::Error::Io(source) => BuildError::Read { what, path, source },
        pem::Error::NoItemsFound => {
            BuildError::Content { what, path, reason: "holds none in PEM form".to_owned() }
        }
        other => BuildError::Content { what, path, reason: format!("is not PEM: {other:?}") },
    }
}

/// Takes any certificate, since the user has asked for that. The peer must still hold its key.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
