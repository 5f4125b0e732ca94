export type * from "./contract.ts";
export { NetworkManager } from "./manager.ts";
