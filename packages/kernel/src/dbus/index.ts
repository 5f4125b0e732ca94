export * from "./connection.ts";
export type { DbusMessage } from "./message.ts";
export type { DbusValue, Variant } from "./values.ts";
