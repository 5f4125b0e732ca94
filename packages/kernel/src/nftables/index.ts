export * from "./nftables.ts";
