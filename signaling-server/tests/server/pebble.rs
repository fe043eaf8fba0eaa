//! Pebble, which is Let's Encrypt's own server for tests of ACME (Debian's package `pebble`).

use std::{
    fs,
    io::ErrorKind,
    net::{TcpListener, UdpSocket},
    ops::Range,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::json;
use tempfile::TempDir;
use tokio::{net::TcpStream, time::sleep};

use crate::{http, leave_out, soon, tls::connect_trusting};

/// The authority, and a name server for it to which every name is this machine. Both end when this is dropped.
pub struct Pebble {
    folder: TempDir,
    authority: Child,
    names: Child,
    ports: [u16; 3],
    /// Where it asks whether a name is ours.
    pub tls_port: u16,
}

impl Pebble {
    /// Nothing where it is not installed, unless somebody has just seen to that.
    pub async fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let [api, management, dns, tls_port] = free_ports();
        write_certificates(&folder);
        let path = |name: &str| folder.path().join(name);
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{api}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": path("server.pem"),
            "privateKey": path("key.pem"),
            "httpPort": tls_port,
            "tlsPort": tls_port,
        }});
        fs::write(path("config.json"), config.to_string()).unwrap();
        let names = quiet("pebble-challtestsrv")
            .args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""])
            .args(["-management", "", "-dns01", &format!("127.0.0.1:{dns}")])
            .spawn();
        let names = match names {
            Ok(names) => names,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                leave_out("pebble", "LINGUALINKED_CERTIFICATES");
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let ports = [api, management, dns];
        let authority = serve(&folder, dns);
        let pebble = Self { folder, authority, names, ports, tls_port };
        pebble.listens().await;
        Some(pebble)
    }

    /// Ends it, and starts it without any memory.
    pub async fn start_anew(&mut self) {
        self.authority.kill().unwrap();
        self.authority.wait().unwrap();
        self.authority = serve(&self.folder, self.ports[2]);
        self.listens().await;
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.ports[0])
    }

    /// The certificate that clients trust.
    pub async fn root(&self) -> CertificateDer<'static> {
        let own = CertificateDer::from_pem_file(self.path("root.pem")).unwrap();
        let address = ([127, 0, 0, 1], self.ports[1]).into();
        let mut stream = connect_trusting(address, own, "localhost", &[]).await.unwrap();
        let answer = http::ask_on(&mut stream, "GET", "/roots/0", &[]).await;
        CertificateDer::from_pem_slice(&answer.body).unwrap()
    }

    async fn listens(&self) {
        soon(async {
            for port in &self.ports[..2] {
                while TcpStream::connect(("127.0.0.1", *port)).await.is_err() {
                    sleep(Duration::from_millis(20)).await;
                }
            }
        })
        .await;
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for child in [&mut self.authority, &mut self.names] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn serve(folder: &TempDir, dns: u16) -> Child {
    quiet("pebble")
        .arg("-config")
        .arg(folder.path().join("config.json"))
        .args(["-dnsserver", &format!("127.0.0.1:{dns}")])
        .env("PEBBLE_VA_NOSLEEP", "1")
        .env("PEBBLE_WFE_NONCEREJECT", "0")
        .env("PEBBLE_AUTHZREUSE", "0")
        .spawn()
        .unwrap()
}

/// What its own HTTPS is done with.
fn write_certificates(folder: &TempDir) {
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &root).unwrap();
    for (name, text) in
        [("root.pem", root.pem()), ("server.pem", leaf.pem()), ("key.pem", key.serialize_pem())]
    {
        fs::write(folder.path().join(name), text).unwrap();
    }
}

/// They were free a moment ago, for TCP and UDP, and are none of those that systems choose from where a program asks for
/// any: so that no other test takes one before it is used.
pub fn free_ports<const N: usize>() -> [u16; N] {
    static NEXT: LazyLock<AtomicU16> =
        LazyLock::new(|| AtomicU16::new((std::process::id() % 300) as u16 * 30));
    let is_free = |port: &u16| {
        TcpListener::bind(("127.0.0.1", *port)).is_ok()
            && UdpSocket::bind(("127.0.0.1", *port)).is_ok()
    };
    let mut ports =
        PORTS.map(|_| PORTS.start + NEXT.fetch_add(1, Ordering::Relaxed) % PORTS.len() as u16);
    [(); N].map(|()| ports.find(is_free).expect("some port is free"))
}

/// Linux chooses from 32768 on, other systems from 49152 on.
const PORTS: Range<u16> = 20_000..30_000;

pub fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}
