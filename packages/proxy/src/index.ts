export { parseBalancerPool } from "./balancer-pool.ts";
export { Balancers, type BalancersOptions } from "./balancers.ts";
export { HealthChecks, type HealthChecksOptions } from "./health-checks.ts";
export { type LocalPlaces, Proxy, type ProxyOptions } from "./proxy.ts";
