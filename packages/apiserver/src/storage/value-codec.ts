/** How values lie in the store: as they are, or sealed. */
export interface ValueCodec {
  /** @param key the value's key, which a sealed value is bound to */
  seal(key: string, value: Uint8Array): Uint8Array;
  /** @throws Internal for what cannot be opened */
  open(key: string, value: Uint8Array): Uint8Array;
}

export const PLAIN_VALUES: ValueCodec = { seal: (_, value) => value, open: (_, value) => value };
