// Prints the chains that Calico's felix renders for one node, in the language of iptables-restore, with felix's own
// packages `rules` and `iptables`; the rules that hook them in are those of felix's dataplane (setUpIptablesNormal).
package main

import (
	"fmt"
	"os"

	"github.com/projectcalico/calico/felix/config"
	"github.com/projectcalico/calico/felix/environment"
	"github.com/projectcalico/calico/felix/ipsets"
	. "github.com/projectcalico/calico/felix/iptables"
	"github.com/projectcalico/calico/felix/proto"
	"github.com/projectcalico/calico/felix/rules"
)

const version = 4

var features = &environment.Features{SNATFullyRandom: true, MASQFullyRandom: true}

func main() {
	renderer := rules.NewRenderer(rules.Config{
		IPSetConfigV4:                  ipsets.NewIPVersionConfig(ipsets.IPFamilyV4, "cali", nil, nil),
		IPSetConfigV6:                  ipsets.NewIPVersionConfig(ipsets.IPFamilyV6, "cali", nil, nil),
		WorkloadIfacePrefixes:          []string{"cali"},
		IptablesMarkAccept:             0x10000,
		IptablesMarkPass:               0x20000,
		IptablesMarkScratch0:           0x40000,
		IptablesMarkScratch1:           0x80000,
		IptablesMarkEndpoint:           0xfff00000,
		IptablesMarkNonCaliEndpoint:    0x100000,
		VXLANEnabled:                   true,
		VXLANPort:                      4789,
		VXLANVNI:                       4096,
		IPIPEnabled:                    true,
		IptablesLogPrefix:              "calico-packet",
		EndpointToHostAction:           "DROP",
		ServiceLoopPrevention:          "Drop",
		AllowVXLANPacketsFromWorkloads: os.Args[1] == "nft", // else -m u32, which only the legacy backend has
		FailsafeInboundHostPorts:       []config.ProtoPort{{Protocol: "tcp", Port: 22}, {Net: "10.80.0.0/24", Protocol: "udp", Port: 68}},
		FailsafeOutboundHostPorts:      []config.ProtoPort{{Protocol: "udp", Port: 53}, {Net: "10.80.0.1/32", Protocol: "tcp", Port: 6443}},
	})

	webIngress := &proto.PolicyID{Tier: "default", Name: "demo/knp.default.web-ingress"}
	clientEgress := &proto.PolicyID{Tier: "default", Name: "demo/knp.default.client-egress"}
	host := &proto.PolicyID{Tier: "default", Name: "default.host"}
	preDNAT := &proto.PolicyID{Tier: "default", Name: "default.pre-dnat"}
	untracked := &proto.PolicyID{Tier: "default", Name: "default.untracked"}
	demo := &proto.ProfileID{Name: "kns.demo"}

	in := func(names ...*proto.PolicyID) []*rules.PolicyGroup { return group(rules.PolicyDirectionInbound, names) }
	out := func(names ...*proto.PolicyID) []*rules.PolicyGroup { return group(rules.PolicyDirectionOutbound, names) }
	workloads := map[proto.WorkloadEndpointID]*proto.WorkloadEndpoint{
		{OrchestratorId: "k8s", WorkloadId: "demo/web", EndpointId: "eth0"}:    {Name: "caliweb", State: "up"},
		{OrchestratorId: "k8s", WorkloadId: "demo/client", EndpointId: "eth0"}: {Name: "caliclient", State: "up"},
		{OrchestratorId: "k8s", WorkloadId: "demo/gone", EndpointId: "eth0"}:   {Name: "caligone", State: "inactive"},
	}
	hosts := map[string]proto.HostEndpointID{"eth0": {EndpointId: "eth0"}}

	policies := []*Chain{}
	for id, policy := range map[*proto.PolicyID]*proto.Policy{
		webIngress: {InboundRules: []*proto.Rule{
			{Action: "allow", Protocol: name("tcp"), SrcIpSetIds: []string{"s:clients"}, DstPorts: ports(8080, 8080, 9000, 9010)},
			{Action: "log", Protocol: name("tcp"), DstPorts: ports(23, 23)},
			{Action: "deny", Protocol: name("tcp"), DstPorts: ports(23, 23)},
			{Action: "allow", Protocol: name("tcp"), SrcNet: []string{"10.80.0.0/24", "203.0.113.0/24"}, NotSrcNet: []string{"10.80.0.64/26", "10.80.0.9/32"}, DstNamedPortIpSetIds: []string{"n:http"}},
			{Action: "allow", Protocol: name("icmp"), Icmp: &proto.Rule_IcmpType{IcmpType: 8}},
			{Action: "pass", Protocol: &proto.Protocol{NumberOrName: &proto.Protocol_Number{Number: 132}}},
			{Action: "allow", Protocol: name("udp"), NotSrcIpSetIds: []string{"s:clients"}, NotDstPorts: ports(53, 53)},
		}},
		clientEgress: {OutboundRules: []*proto.Rule{
			{Action: "allow", Protocol: name("udp"), DstPorts: ports(53, 53)},
			{Action: "allow", DstIpPortSetIds: []string{"svc:web"}},
			{Action: "allow", Protocol: name("tcp"), DstIpSetIds: []string{"s:webs"}},
			{Action: "allow", Protocol: name("tcp"), NotDstNet: []string{"10.0.0.0/8"}, SrcPorts: ports(1024, 65535)},
			{Action: "deny", NotProtocol: name("tcp"), DstNet: []string{"203.0.113.0/24"}},
		}},
		host: {
			InboundRules:  []*proto.Rule{{Action: "allow", Protocol: name("tcp"), SrcNet: []string{"10.80.0.0/24"}, DstPorts: ports(6443, 6443, 10250, 10250)}},
			OutboundRules: []*proto.Rule{{Action: "deny", DstNet: []string{"198.51.100.9/32"}}, {Action: "allow"}},
		},
		preDNAT:   {PreDnat: true, InboundRules: []*proto.Rule{{Action: "deny", SrcNet: []string{"203.0.113.0/24"}, Protocol: name("tcp"), DstPorts: ports(30000, 32767)}}},
		untracked: {Untracked: true, InboundRules: []*proto.Rule{{Action: "allow", Protocol: name("udp"), DstPorts: ports(4444, 4444)}}},
	} {
		policies = append(policies, renderer.PolicyToIptablesChains(id, policy, version)...)
	}
	allow := &proto.Profile{InboundRules: []*proto.Rule{{Action: "allow"}}, OutboundRules: []*proto.Rule{{Action: "allow"}}}
	profileIn, profileOut := renderer.ProfileToIptablesChains(demo, allow, version)

	filter := append(renderer.StaticFilterTableChains(version), renderer.WorkloadDispatchChains(workloads)...)
	filter = append(filter, renderer.WorkloadEndpointToIptablesChains("caliweb", nil, true, in(webIngress), nil, []string{demo.Name})...)
	filter = append(filter, renderer.WorkloadEndpointToIptablesChains("caliclient", nil, true, nil, out(clientEgress), []string{demo.Name})...)
	filter = append(filter, renderer.WorkloadEndpointToIptablesChains("caligone", nil, false, nil, nil, nil)...)
	filter = append(filter, renderer.HostDispatchChains(hosts, "", true)...)
	filter = append(filter, renderer.HostEndpointToFilterChains("eth0", nil, in(host), out(host), nil, nil, nil)...)
	filter = append(filter, renderer.BlockedCIDRsToIptablesChains([]string{"10.96.0.0/16"}, version)...)
	filter = append(append(filter, policies...), profileIn, profileOut)

	nat := append(renderer.StaticNATTableChains(version), renderer.NATOutgoingChain(true, version))
	nat = append(nat, renderer.DNATsToIptablesChains(map[string]string{"10.80.0.44": "10.244.0.10"})...)
	nat = append(nat, renderer.SNATsToIptablesChains(map[string]string{"10.244.0.10": "10.80.0.44"})...)

	mangle := append(renderer.StaticMangleTableChains(version), renderer.FromHostDispatchChains(hosts, "")...)
	mangle = append(mangle, renderer.ToHostDispatchChains(hosts, "")...)
	mangle = append(mangle, renderer.HostEndpointToMangleIngressChains("eth0", in(preDNAT))...)
	mangle = append(mangle, renderer.HostEndpointToMangleEgressChains("eth0", out(host), nil)...)
	mangle = append(mangle, policies...)

	raw := append(renderer.StaticRawTableChains(version), renderer.HostDispatchChains(hosts, "", false)...)
	raw = append(raw, renderer.HostEndpointToRawChains("eth0", in(untracked), out(untracked))...)
	raw = append(append(raw, policies...), &Chain{Name: rules.ChainRpfSkip})

	table("raw", raw, "-I PREROUTING 1 -j cali-PREROUTING", "-I OUTPUT 1 -j cali-OUTPUT")
	table("mangle", mangle, "-I PREROUTING 1 -j cali-PREROUTING", "-I POSTROUTING 1 -j cali-POSTROUTING")
	table("nat", nat, "-I PREROUTING 1 -j cali-PREROUTING", "-I OUTPUT 1 -j cali-OUTPUT", "-A POSTROUTING -j cali-POSTROUTING")
	hooks := []string{"-I INPUT 1 -j cali-INPUT", "-I FORWARD 1 -j cali-FORWARD", "-I OUTPUT 1 -j cali-OUTPUT"}
	for _, rule := range renderer.StaticFilterForwardAppendRules() {
		hooks = append(hooks, rule.RenderAppend("FORWARD", "", features))
	}
	table("filter", filter, hooks...)
}

func group(direction rules.PolicyDirection, ids []*proto.PolicyID) []*rules.PolicyGroup {
	names := []string{}
	for _, id := range ids {
		names = append(names, id.Name)
	}
	return []*rules.PolicyGroup{{Tier: "default", Direction: direction, PolicyNames: names, Selector: "all()"}}
}

func name(protocol string) *proto.Protocol {
	return &proto.Protocol{NumberOrName: &proto.Protocol_Name{Name: protocol}}
}

func ports(ends ...int32) []*proto.PortRange {
	ranges := []*proto.PortRange{}
	for i := 0; i < len(ends); i += 2 {
		ranges = append(ranges, &proto.PortRange{First: ends[i], Last: ends[i+1]})
	}
	return ranges
}

// Only chains that something jumps to, as felix's table writes them; each rule with its hash, by which felix knows it again.
func table(name string, chains []*Chain, hooks ...string) {
	byName := map[string]*Chain{}
	for _, chain := range chains {
		byName[chain.Name] = chain
	}
	wanted := map[string]bool{}
	var want func(*Chain)
	want = func(chain *Chain) {
		if chain == nil || wanted[chain.Name] {
			return
		}
		wanted[chain.Name] = true
		for _, rule := range chain.Rules {
			switch action := rule.Action.(type) {
			case JumpAction:
				want(byName[action.Target])
			case GotoAction:
				want(byName[action.Target])
			}
		}
	}
	for _, root := range []string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"} {
		want(byName["cali-"+root])
	}
	fmt.Println("*" + name)
	lines := []string{}
	for _, chain := range chains {
		if !wanted[chain.Name] || byName[chain.Name] != chain {
			continue
		}
		fmt.Println(":" + chain.Name + " - -")
		hashes := chain.RuleHashes(features)
		for i, rule := range chain.Rules {
			lines = append(lines, rule.RenderAppend(chain.Name, fmt.Sprintf(`-m comment --comment "cali:%s"`, hashes[i]), features))
		}
	}
	for _, line := range append(lines, hooks...) {
		fmt.Println(line)
	}
	fmt.Println("COMMIT")
}
