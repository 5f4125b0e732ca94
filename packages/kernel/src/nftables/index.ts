export type * from "./command.ts";
export { encodeFields, interfaceBytes, type NftField, portBytes } from "./fields.ts";
export * from "./nftables.ts";
export {
  NftAddressType,
  NftBit,
  NftFamily,
  type NftSelector,
  type NftStatement,
  type NftVerdict,
} from "./statement.ts";
