export { ClusterDns, type ClusterDnsOptions } from "./cluster-dns.ts";
export { type ClusterDnsSettings, ClusterDnsThread, type ClusterDnsThreadOptions } from "./cluster-dns-thread.ts";
