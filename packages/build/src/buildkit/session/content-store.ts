import { randomBytes } from "node:crypto";
import { AlreadyExists, InvalidArgument, NotFound, Unsupported } from "@boxship/base";
import type { CacheSink, CacheStore } from "../../contract.ts";
import { Content, WriteAction } from "../wire/session.ts";
import type { ClientSession } from "./client-session.ts";

/** Largest piece of a blob that is sent in one message. */
const PIECE_BYTES = 256 << 10;
/** A client that has a blob on its disk tells so at once. */
const INFO_MS = 30_000;

/**
 * Blobs in a store of the client: `local:PATH` for a cache, `oci:NAME` for an image layout.
 *
 * @param root digest of the manifest, which the client has looked up itself
 */
export function sessionStore(session: ClientSession, name: string, root: string | undefined): CacheStore {
  return {
    root: () => Promise.resolve(root),
    read: async function* (digest, signal) {
      requireStore(session, Content.read, name);
      using call = session.client.call(Content.read, { signal, metadata: storeMetadata(name) });
      // How the call ends is thrown by reading.
      call.send({ digest, offset: 0, size: 0 }).catch(() => {});
      call.endRequests();
      for await (const { data } of call.responses) yield data;
    },
  };
}

/** A store of the client that blobs are written to. The client makes its index of the manifest that it is told of. */
export function sessionSink(session: ClientSession, name: string): CacheSink {
  return {
    has: async ({ digest, size }, signal) => {
      requireStore(session, Content.info, name);
      const options = { signal, timeout: INFO_MS, metadata: storeMetadata(name) };
      try {
        const { info } = await session.client.unary(Content.info, { digest }, options);
        return info?.size === size;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof NotFound) return false;
        throw error;
      }
    },
    write: async ({ digest, size }, bytes, signal) => {
      requireStore(session, Content.write, name);
      const ref = `boxship-${randomBytes(8).toString("hex")}`;
      using call = session.client.call(Content.write, { signal, metadata: storeMetadata(name) });
      const answers = call.responses[Symbol.asyncIterator]();
      let offset = 0;
      try {
        for await (const piece of bytes) {
          for (let at = 0; at < piece.length; at += PIECE_BYTES) {
            const data = piece.subarray(at, at + PIECE_BYTES);
            await call.send({ action: WriteAction.write, ref, total: size, expected: digest, offset, data });
            offset += data.length;
            await answers.next();
          }
        }
        await call.send({ action: WriteAction.commit, ref, total: size, expected: digest, offset });
        await answers.next();
      } catch (error) {
        signal.throwIfAborted();
        // A client that refuses says why in the call's end, not where it is written.
        const failure = call.stream.closed
          ? await call.ended.then(
              () => error,
              (why: unknown) => why,
            )
          : error;
        if (!(failure instanceof AlreadyExists)) throw failure;
      }
      call.endRequests();
    },
    finish: () => Promise.resolve(),
  };
}

const storeMetadata = (name: string) => ({ "buildkit-attachable-store-id": [name] });

function requireStore(session: ClientSession, method: { readonly path: string }, name: string): void {
  if (name.length > 4096) throw new InvalidArgument("the name of the client's store is too long");
  if (session.supports(method)) return;
  throw new Unsupported(`the client has no store ${name}`, {
    remedy: "use a client that can keep caches in directories",
  });
}
