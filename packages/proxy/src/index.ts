export { type LocalPlaces, Proxy, type ProxyOptions } from "./proxy.ts";
