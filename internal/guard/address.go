package guard

import "net/netip"

// special is one entry of the IANA special-purpose address registries (RFC 6890 and the
// RFCs that added to it), or an address that a cloud uses for its inside.
type special struct {
	prefix netip.Prefix
	what   string
}

func block(prefix, what string) special { return special{netip.MustParsePrefix(prefix), what} }

// specials4 is what of IPv4 is not a public host. Entries that the registry calls globally
// reachable (192.31.196.0/24, 192.52.193.0/24, 192.175.48.0/24) are not in it.
var specials4 = []special{
	block("0.0.0.0/8", "this network"),
	block("10.0.0.0/8", "private network"),
	block("100.64.0.0/10", "shared address space of a carrier"),
	block("127.0.0.0/8", "loopback"),
	block("169.254.0.0/16", "link-local"),
	block("172.16.0.0/12", "private network"),
	block("192.0.0.0/24", "protocol assignments"),
	block("192.0.2.0/24", "documentation"),
	block("192.88.99.0/24", "6to4 relay"),
	block("192.168.0.0/16", "private network"),
	block("198.18.0.0/15", "benchmarking"),
	block("198.51.100.0/24", "documentation"),
	block("203.0.113.0/24", "documentation"),
	block("224.0.0.0/4", "multicast"),
	block("240.0.0.0/4", "reserved"), // with the broadcast address
	// Public by its number, but inside Azure it is the host's own service.
	block("168.63.129.16/32", "cloud platform"),
}

// specials6 is what of IPv6 is not a public host. Some of it embeds an IPv4 address that a
// gateway would go on to (NAT64, 6to4, Teredo): refused as a whole, not judged by what it
// embeds, since nothing public is reachable that way only.
var specials6 = []special{
	block("::/128", "unspecified"),
	block("::1/128", "loopback"),
	block("64:ff9b::/96", "IPv4 translation"),
	block("64:ff9b:1::/48", "IPv4 translation"),
	block("100::/64", "discard"),
	block("2001::/23", "protocol assignments"), // Teredo, benchmarking, ORCHID
	block("2001:db8::/32", "documentation"),
	block("2002::/16", "6to4"),
	block("3fff::/20", "documentation"),
	block("5f00::/16", "segment routing"),
	block("fc00::/7", "private network"),
	block("fe80::/10", "link-local"),
	block("fec0::/10", "site-local"),
	block("ff00::/8", "multicast"),
}

// global6 is all that was ever handed out as global unicast. What lies outside is refused
// too: a block that is reserved today may be given a meaning inside networks tomorrow.
var global6 = netip.MustParsePrefix("2000::/3")

// notPublic says what a is where it is not a public unicast address, and "" where it is
// one. An IPv4 address in IPv6 clothes (::ffff:127.0.0.1) is judged as IPv4.
func notPublic(a netip.Addr) string {
	if !a.IsValid() || a.Zone() != "" {
		return "address with a zone"
	}
	a = a.Unmap()
	specials := specials6
	if a.Is4() {
		specials = specials4
	}
	for _, s := range specials {
		if s.prefix.Contains(a) {
			return s.what
		}
	}
	if a.Is6() && !global6.Contains(a) {
		return "reserved"
	}
	return ""
}
