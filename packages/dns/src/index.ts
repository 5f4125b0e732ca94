export { ClusterDns, type ClusterDnsOptions } from "./cluster-dns.ts";
