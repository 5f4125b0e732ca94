import { type FSWatcher, readFileSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { createSecureContext } from "node:tls";
import { errorMessage, InvalidArgument, type Logger } from "@boxship/base";
import type { TlsTexts } from "./open-registry.ts";

export interface TlsFiles {
  /** Paths of PEM files. */
  readonly certificate: string;
  readonly key: string;
}

/** @throws InvalidArgument where they cannot be read, or do not belong together */
export function readTlsFiles({ certificate, key }: TlsFiles): TlsTexts {
  try {
    const texts = { certificate: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
    createSecureContext({ cert: texts.certificate, key: texts.key });
    return texts;
  } catch (error) {
    throw new InvalidArgument(`cannot use ${certificate} with ${key}: ${errorMessage(error)}`, {
      cause: error,
      subject: { kind: "certificate", name: certificate },
    });
  }
}

/** A renewal writes two files, and often more than once. */
const SETTLE = 500;

/**
 * Tells of new certificates when the files change, or are replaced by others of their names. What cannot be used is
 * logged, and the one before stays.
 */
export function watchTlsFiles(files: TlsFiles, logger: Logger, onChange: (texts: TlsTexts) => void): Disposable {
  const names = new Set([basename(files.certificate), basename(files.key)]);
  let timer: NodeJS.Timeout | undefined;
  let before = JSON.stringify(readTlsFiles(files));
  const read = (): void => {
    try {
      const texts = readTlsFiles(files);
      if (JSON.stringify(texts) === before) return;
      before = JSON.stringify(texts);
      onChange(texts);
      logger.info("the certificate was renewed", { certificate: files.certificate });
    } catch (error) {
      logger.error(`the certificate stays what it was: ${errorMessage(error)}`);
    }
  };
  const changed = (_kind: string, name: string | null): void => {
    // Secrets that are mounted change as a link beside the files.
    if (name !== null && !names.has(name) && !name.startsWith("..")) return;
    clearTimeout(timer);
    timer = setTimeout(read, SETTLE);
  };
  const directories = new Set([dirname(files.certificate), dirname(files.key)]);
  const watchers = [...directories].map((directory): FSWatcher => watch(directory, { persistent: false }, changed));
  return {
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}
