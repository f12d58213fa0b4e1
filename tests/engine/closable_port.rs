//! A port of the tests that can be closed and opened again: while it is closed, connections are refused. A
//! second socket, which never listens, keeps the port meanwhile, so that no other test's server gets it.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub struct ClosablePort {
    address: SocketAddr,
    _port: Socket,
    orders: UnboundedSender<Order>,
    runtime: Option<Runtime>,
}

/// Whether to listen, and the channel that confirms it.
type Order = (bool, mpsc::Sender<()>);

impl ClosablePort {
    /// Calls `serve` for each connection. Dropping this value drops the calls, too.
    pub fn open<F, S>(serve: F) -> Self
    where
        F: Fn(TcpStream) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let port = bound((Ipv4Addr::LOCALHOST, 0).into()).expect("a port");
        let address = port.local_addr().expect("an address").as_socket().expect("an IP address");
        let listener = runtime.block_on(async { listen(address) }).expect("to listen");
        let (orders, received) = unbounded_channel();
        runtime.spawn(accept(listener, address, received, serve));
        Self { address, _port: port, orders, runtime: Some(runtime) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens or closes the port, and waits until it is done.
    pub fn set_open(&self, open: bool) {
        let (tell, told) = mpsc::channel();
        self.orders.send((open, tell)).expect("it runs");
        told.recv().expect("the port changes");
    }
}

impl Drop for ClosablePort {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A socket that shares its address only with other sockets made here.
fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(address)?;
    socket.set_nonblocking(true)?;
    socket.listen(1024)?;
    TcpListener::from_std(socket.into())
}

async fn accept<F, S>(first: TcpListener, address: SocketAddr, mut orders: UnboundedReceiver<Order>, serve: F)
where
    F: Fn(TcpStream) -> S,
    S: Future<Output = ()> + Send + 'static,
{
    let mut listener = Some(first);
    loop {
        let next = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            order = orders.recv() => {
                let Some((open, tell)) = order else { return };
                if open && listener.is_none() {
                    listener = Some(listen(address).expect("the same port"));
                } else if !open {
                    listener = None;
                }
                let _ = tell.send(());
            }
            accepted = next => {
                if let Ok((client, _)) = accepted {
                    tokio::spawn(serve(client));
                }
            }
        }
    }
}
