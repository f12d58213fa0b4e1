//! A port of the tests' own that can be shut: then nobody listens there, and the port stays the same.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::mpsc;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub struct Door {
    address: SocketAddr,
    orders: UnboundedSender<Order>,
    runtime: Option<Runtime>,
}

/// Whether to listen, and whom to tell that it is so.
type Order = (bool, mpsc::Sender<()>);

impl Door {
    /// Each connection is handed to `serve`, which is dropped with this value.
    pub fn open<F, S>(serve: F) -> Self
    where
        F: Fn(TcpStream) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        let (orders, received) = unbounded_channel();
        runtime.spawn(accept(listener, address, received, serve));
        Self { address, orders, runtime: Some(runtime) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns when it is so.
    pub fn set_open(&self, open: bool) {
        let (tell, told) = mpsc::channel();
        self.orders.send((open, tell)).expect("it runs");
        told.recv().expect("it does as told");
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
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
                    listener = Some(TcpListener::bind(address).await.expect("the same port"));
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
