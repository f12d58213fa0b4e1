//! A real nginx in front of a server, as many installations have it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{Server, TIMEOUT, assert_eventually, os};

pub struct Nginx {
    folder: TempDir,
    child: Child,
}

impl Nginx {
    /// Starts nginx on a socket file, so that no free port has to be found. `buffering` is
    /// `proxy_request_buffering`.
    pub fn before(server: &Server, buffering: bool) -> Self {
        let folder = TempDir::with_prefix("strongroom-nginx-").expect("make a folder");
        let buffering = if buffering { "on" } else { "off" };
        let user = if os::is_root() { "user root;" } else { "" };
        let (upstream, dir) = (server.address(), folder.path().display());
        let config = format!(
            "{user} daemon off; worker_processes 1; pid {dir}/pid; error_log {dir}/error.log;
             events {{ worker_connections 64; }}
             http {{
                 access_log off; client_max_body_size 0;
                 client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
                 uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
                 server {{
                     listen unix:{dir}/socket;
                     location / {{
                         proxy_pass http://{upstream}; proxy_http_version 1.1;
                         proxy_request_buffering {buffering};
                     }}
                 }}
             }}"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config).expect("write nginx's configuration");
        let mut command = Command::new(binary());
        command.arg("-p").arg(folder.path()).arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        os::die_with_parent(&mut command);
        let child = command.spawn().expect("start nginx");
        let nginx = Self { folder, child };
        assert_eventually("nginx listens", TIMEOUT, || {
            std::os::unix::net::UnixStream::connect(nginx.socket()).is_ok()
        });
        nginx
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM also ends nginx' workers; SIGKILL would end only the master.
        os::signal(self.child.id(), libc::SIGTERM);
        let _ = self.child.wait();
    }
}

fn binary() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join("nginx"))
        .find(|file| file.exists())
        .expect("these tests need nginx: script/test installs nginx-light")
}
