//! Whether a request's Host header names this machine, as the other services ask it.
//!
//! A page of any site may give itself a name that points here (DNS rebinding), and a browser on
//! this machine would then let it read the answer. It can choose its name, but not make it an
//! address: so a loopback name or literal, the very address that the connection came in on, and a
//! name that the settings allow are ours, and nothing else is.

use std::net::IpAddr;

/// Why a Host header is not this machine's, None when it is. `own` is this machine's end of the
/// connection, `allowed` are further names.
pub(crate) fn foreign_host(host: &str, own: IpAddr, allowed: &[String]) -> Option<String> {
    let name = host_name(host).unwrap_or_default().to_lowercase();
    let is_allowed = !name.is_empty() && allowed.iter().any(|one| one.to_lowercase() == name);
    let address = literal(&name);
    let is_here = address.is_some_and(|one| one.is_loopback() || one == own.to_canonical());
    if name == "localhost" || is_allowed || is_here {
        return None;
    }
    Some(format!(
        "Host '{host}' is not this machine; ask 127.0.0.1 or localhost"
    ))
}

/// The name of `name:port`, `[::1]:port`, or a name alone; brackets stay.
fn host_name(host: &str) -> Option<&str> {
    let end = match host.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => host.find(':').unwrap_or(host.len()),
    };
    let (name, port) = host.split_at(end);
    let is_port = |text: &str| {
        (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(name)
}

/// The address of a literal; an IPv4 one may be spelled as IPv6.
fn literal(name: &str) -> Option<IpAddr> {
    let bare = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(name);
    bare.parse::<IpAddr>().ok().map(|one| one.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(host: &str, own: &str, allowed: &[&str]) -> bool {
        let allowed: Vec<String> = allowed.iter().map(|&one| one.into()).collect();
        foreign_host(host, own.parse().unwrap(), &allowed).is_none()
    }

    #[test]
    fn only_names_and_addresses_of_this_machine_pass() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:9103",
            "localhost:80",
            "LOCALHOST",
            "[::1]:9103",
        ] {
            assert!(passes(host, "127.0.0.1", &[]), "{host}");
        }
        for host in [
            "attacker.example",
            "127.0.0.1.attacker.example",
            "localhost.attacker.example:80",
            "192.0.2.7:9103",
            "",
            "[::1",
            "localhost:",
            "localhost:123456",
            "localhost:80x",
        ] {
            assert!(!passes(host, "127.0.0.1", &[]), "{host}");
        }
    }

    #[test]
    fn its_own_address_and_allowed_names_pass() {
        assert!(passes("10.0.0.7:9103", "10.0.0.7", &[]));
        assert!(passes("10.0.0.7", "::ffff:10.0.0.7", &[]));
        assert!(passes("[fd00::7]:9103", "fd00::7", &[]));
        assert!(!passes("10.0.0.8", "10.0.0.7", &[]));
        assert!(passes("Pod.example", "10.0.0.7", &["pod.example"]));
        assert!(!passes("", "10.0.0.7", &[""]));
    }
}
