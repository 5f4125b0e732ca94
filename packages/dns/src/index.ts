export { ClusterDns, type ClusterDnsOptions } from "./cluster-dns.ts";
export { ClusterDnsThread, type ClusterDnsThreadOptions } from "./cluster-dns-thread.ts";
