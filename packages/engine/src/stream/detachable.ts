import { Transform } from "node:stream";
import type { StreamSession } from "../engine-api.ts";
import { DetachKeyFilter, parseDetachKeys } from "./detach-keys.ts";

/** A terminal session that its user can leave by typing the detach sequence; others are returned as they are. */
export function withDetachKeys(session: StreamSession, keys: string | undefined, onDetach: () => void): StreamSession {
  const sequence = parseDetachKeys(keys);
  if (!session.tty || session.stdin === undefined || sequence.length === 0) return session;
  const filter = new DetachKeyFilter(sequence);
  let detached = false;
  const stdin = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (detached) return done();
      const result = filter.push(chunk);
      detached = result.detached;
      if (result.data.length > 0) this.push(result.data);
      done();
      if (!detached) return;
      onDetach();
      session.close();
    },
  });
  stdin.pipe(session.stdin);
  return { ...session, stdin };
}
