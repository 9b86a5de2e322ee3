//! The catalog as a zone of DNS: instances that pass, and nodes.

use dns_server::{Address, Instance, Zone};

use crate::app::App;
use crate::store::{Node, Service, Status};

impl Zone for App {
    fn datacenter(&self) -> String {
        self.options.datacenter.clone()
    }

    fn server(&self) -> dns_server::Node {
        let own = self.with_node(node);
        own.unwrap_or_else(|| dns_server::Node { name: self.node.clone(), address: "".into() })
    }

    fn service(&self, name: &str, tag: Option<&str>) -> Vec<Instance> {
        let store = self.store.borrow();
        // As good as always clients write a name as it was registered.
        let exact = store.instances(name).next().map(|_| name);
        let spelled = || {
            let mut names = store.service_names().map(|(known, _)| known);
            names.find(|known| known.eq_ignore_ascii_case(name))
        };
        let Some(name) = exact.or_else(spelled) else { return Vec::new() };
        let tagged = |service: &Service| {
            tag.is_none_or(|tag| service.tags.iter().any(|own| own.eq_ignore_ascii_case(tag)))
        };
        let passing = |of: &Node, service: &Service| {
            of.deciding(&service.id).all(|check| check.status == Status::Passing)
        };
        let found =
            store.instances(name).filter(|(of, service)| tagged(service) && passing(of, service));
        found.map(|(of, service)| instance(of, service)).collect()
    }

    fn node(&self, name: &str) -> Option<dns_server::Node> {
        let store = self.store.borrow();
        let spelled = || store.nodes().find(|known| known.name.eq_ignore_ascii_case(name));
        store.node(name).or_else(spelled).map(node)
    }
}

fn node(of: &Node) -> dns_server::Node {
    dns_server::Node { name: of.name.clone(), address: Address::from(of.address.as_str()) }
}

fn instance(of: &Node, service: &Service) -> Instance {
    let address = Some(service.address.as_str()).filter(|address| !address.is_empty());
    let number = |number: i64| u16::try_from(number.max(0)).unwrap_or(u16::MAX);
    Instance {
        node: node(of),
        address: address.map(Address::from),
        port: number(service.port),
        weight: number(service.weights.0),
    }
}
