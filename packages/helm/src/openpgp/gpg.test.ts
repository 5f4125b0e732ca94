import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { BoxshipError } from "@boxship/base/errors";
import fc from "fast-check";
import { type GpgHome, openGpgHome } from "../testing/gpg-home.ts";
import { readArmor, writeArmor } from "./armor.ts";
import { word } from "./byte-reader.ts";
import { readClearText, signClearText, verifyClearText } from "./clear-text.ts";
import { isLocked, readKeyPacket, unlockKey } from "./key-packet.ts";
import { type Certificate, readKeyring, signingKey } from "./keyring.ts";
import { packetBytes, Tag } from "./packets.ts";
import { makeSignature, SignatureType } from "./signature-packet.ts";

const KINDS = ["rsa2048", "ed25519", "nistp256", "nistp521", "brainpoolP256r1"] as const;
const TEXT = "apiVersion: v2\n- dash\n-----BEGIN x-----\ntrailing \t \n\nFrom here\n\n...\nfiles: {ä: ü}\n";

describe("texts that are signed, beside GnuPG", () => {
  let gpg: GpgHome;
  let keyring: readonly Certificate[];
  let secrets: readonly Certificate[];
  const fingerprints = new Map<string, string>();
  before(async () => {
    gpg = await openGpgHome();
    for (const kind of KINDS) fingerprints.set(kind, await gpg.makeKey(kind, kind));
    fingerprints.set("locked", await gpg.makeKey("locked", "ed25519", { passphrase: "open sesame" }));
    const old = await gpg.makeKey("old", "ed25519", { expires: "1d", at: "20200101T000000" });
    fingerprints.set("old", old);
    fingerprints.set("revoked", await gpg.makeKey("revoked", "ed25519"));
    const parent = await gpg.makeKey("parent", "ed25519");
    await gpg.done("--passphrase", "", "--quick-add-key", parent, "nistp256/ecdsa", "sign", "never");
    keyring = readKeyring(readFileSync(await gpg.exported("public.gpg", false, [])), "public.gpg");
    const open = await gpg.exported(
      "secret.gpg",
      true,
      [...KINDS, "parent", "revoked"].map((name) => `${name}@example.com`),
    );
    secrets = readKeyring(readFileSync(open), "secret.gpg");
  });
  after(() => gpg[Symbol.asyncDispose]());

  const named = (all: readonly Certificate[], name: string): Certificate => {
    const found = all.find(({ names }) => names.some((one) => one.name === `${name} <${name}@example.com>`));
    ok(found !== undefined, name);
    return found;
  };
  const byGpg = async (name: string, text: string, ...more: readonly string[]): Promise<string> => {
    writeFileSync(gpg.folder.join("text"), text);
    const output = gpg.folder.join("text.asc");
    await gpg.done("--output", output, "-u", `${name}@example.com`, ...more, "--clearsign", gpg.folder.join("text"));
    return readFileSync(output, "utf8");
  };
  const byUs = (certificate: Certificate, text: string, passphrase = "", now = new Date()): string => {
    const signer = signingKey(certificate, now);
    return signClearText(text, signer, unlockKey(signer.key, passphrase), now);
  };
  const verified = (message: string, now = new Date()) => verifyClearText(readClearText(message), keyring, now);

  test("what GnuPG has signed holds here", async () => {
    for (const kind of KINDS) {
      const message = await byGpg(kind, TEXT);
      equal(readClearText(message).text, TEXT, kind);
      const { names, key } = verified(message);
      deepEqual([names, key.fingerprint], [[`${kind} <${kind}@example.com>`], fingerprints.get(kind)]);
      throws(() => verified(message.replace("here", "there")), /does not hold/, kind);
    }
    const crlf = (await byGpg("ed25519", TEXT)).replaceAll("\n", "\r\n");
    equal(verified(crlf).key.fingerprint, fingerprints.get("ed25519"));
  });

  test("what is signed here holds for GnuPG", async () => {
    for (const kind of [...KINDS, "parent"]) {
      writeFileSync(gpg.folder.join("ours.asc"), byUs(named(secrets, kind), TEXT));
      const { status, stderr } = await gpg.run("--verify", gpg.folder.join("ours.asc"));
      deepEqual([status, /Good signature from "(.*?) </.exec(stderr)?.[1]], [0, kind], stderr);
    }
  });

  test("a subkey signs for its key; keys are unlocked by their passphrase alone", async () => {
    const message = byUs(named(secrets, "parent"), TEXT);
    const { key, certificate } = verified(message);
    deepEqual([key.material.kind, certificate.primary.material.kind], ["ecdsa", "eddsa"]);
    const file = await gpg.exported("locked.gpg", true, ["locked@example.com"], "open sesame");
    const locked = named(readKeyring(readFileSync(file), file), "locked");
    ok(isLocked(locked.primary));
    equal(verified(byUs(locked, TEXT, "open sesame")).key.fingerprint, fingerprints.get("locked"));
    throws(() => byUs(locked, TEXT, "open says me"), /passphrase does not unlock/);
    const part = await gpg.exported("part.gpg", true, ["parent@example.com"]);
    await gpg.done("--passphrase", "", "--output", part, "--export-secret-subkeys", "parent@example.com");
    equal(verified(byUs(named(readKeyring(readFileSync(part), part), "parent"), TEXT)).key.material.kind, "ecdsa");
  });

  test("keys that have expired, were revoked or are foreign are refused, and so are weak and late signatures", async () => {
    const message = await byGpg("ed25519", TEXT);
    const others = keyring.filter(({ primary }) => primary.fingerprint !== fingerprints.get("ed25519"));
    throws(
      () => verifyClearText(readClearText(message), others, new Date()),
      new RegExp(`signed by key ${fingerprints.get("ed25519")}, which is not in the keyring`),
    );
    const late = await byGpg("old", TEXT, "--faked-system-time", "20200101T010000");
    throws(() => verified(late), /expired at 2020-01-02 00:00:0\d UTC/);
    equal(verified(late, new Date("2020-01-01T12:00:00Z")).key.fingerprint, fingerprints.get("old"));
    throws(() => verified(late, new Date("2020-01-01T00:30:00Z")), /is from the future/);
    const short = await byGpg("ed25519", TEXT, "--default-sig-expire", "1");
    throws(() => verified(short, new Date(Date.now() + 3_600_000 * 48)), /has expired/);
    throws(() => verified(message, new Date("2020-01-01")), /is from the future|older than the key/);
    const weak = await byGpg("rsa2048", TEXT, "--digest-algo", "SHA1");
    throws(() => verified(weak), /SHA-1, which is not safe/);

    const revoked = fingerprints.get("revoked") ?? "";
    const valid = await byGpg("revoked", TEXT);
    equal(verified(valid).key.fingerprint, revoked);
    const certificate = readFileSync(gpg.folder.join(`home/openpgp-revocs.d/${revoked}.rev`), "utf8");
    writeFileSync(gpg.folder.join("rev"), certificate.replace(/^:/m, ""));
    await gpg.done("--import", gpg.folder.join("rev"));
    const file = await gpg.exported("revoked.gpg", false, ["revoked@example.com"]);
    const without = readKeyring(readFileSync(file), file);
    throws(() => verifyClearText(readClearText(valid), without, new Date()), /was revoked/);
  });

  test("Ed25519 and Ed448 of RFC 9580, which this GnuPG has not, sign and are verified", () => {
    const now = new Date();
    for (const [type, algorithm, prefix] of [
      ["ed25519", 27, 12],
      ["ed448", 28, 12],
    ] as const) {
      const { publicKey, privateKey } = generateKeyPairSync(type as "ed25519");
      const point = publicKey.export({ format: "der", type: "spki" }).subarray(prefix);
      const seed = privateKey.export({ format: "der", type: "pkcs8" }).subarray(-point.length);
      const clear = Buffer.concat([seed, word(seed.reduce((sum, byte) => sum + byte, 0) & 0xffff, 2)]);
      const head = Buffer.concat([Buffer.from([4]), word(1_700_000_000, 4), Buffer.from([algorithm])]);
      const body = Buffer.concat([head, point, Buffer.from([0]), clear]);
      const key = readKeyPacket(Tag.secretKey, body);
      const name = Buffer.from(`${type} <x@example.com>`);
      const about = Buffer.concat([key.hashed, Buffer.from([0xb4]), word(name.length, 4), name]);
      const certified = makeSignature(SignatureType.positiveCertification, key, privateKey, about, now);
      const packets = [
        packetBytes({ tag: Tag.secretKey, body }),
        packetBytes({ tag: Tag.userId, body: name }),
        certified,
      ];
      const ring = readKeyring(Buffer.concat(packets), type);
      const message = byUs(ring[0] ?? named(secrets, "none"), TEXT);
      deepEqual(verifyClearText(readClearText(message), ring, now).names, [name.toString()]);
      throws(() => verifyClearText(readClearText(message.replace("here", "there")), ring, now), /does not hold/);
    }
  });

  test("keyrings are read armored, too; a keybox and what is none are told", async () => {
    const armored = await gpg.done("--armor", "--export", "ed25519@example.com", "nistp256@example.com");
    equal(readKeyring(Buffer.from(armored), "keys").length, 2);
    const box = readFileSync(gpg.folder.join("home/pubring.kbx"));
    throws(() => readKeyring(box, "pubring.kbx"), { name: "InvalidArgument", message: /is a keybox of GnuPG/ });
    for (const bytes of [
      "",
      "hello",
      "\x99\x01",
      "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----",
    ]) {
      throws(() => readKeyring(Buffer.from(bytes, "latin1"), "k"), { name: "InvalidArgument" });
    }
  });

  test("any text that is signed is read as it was, and no other one holds", () => {
    const certificate = named(secrets, "ed25519");
    const line = fc
      .string({ unit: fc.constantFrom("-", " ", "a", ":", "\t", "…", "F", "ä") })
      .map((text) => text.trimEnd());
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
        const text = `${lines.join("\n")}\n`;
        const message = byUs(certificate, text);
        equal(readClearText(message).text, text);
        verified(message);
        throws(() => verified(message.replace("Hash: SHA512\n\n", "Hash: SHA512\n\nx")), BoxshipError);
      }),
      { numRuns: 60 },
    );
  });

  test("bytes of an armor come back, and a changed one is told", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 3, maxLength: 200 }), fc.nat(), (bytes, at) => {
        const text = writeArmor("PGP SIGNATURE", Buffer.from(bytes));
        deepEqual(readArmor("PGP SIGNATURE", text), Buffer.from(bytes));
        const where = 31 + (at % 4);
        const other = text[where] === "A" ? "B" : "A";
        throws(
          () => readArmor("PGP SIGNATURE", text.slice(0, where) + other + text.slice(where + 1)),
          /damaged|base64/,
        );
      }),
    );
  });

  test("keys and signatures that are changed anywhere end in a refusal, in no time", async () => {
    const bytes = readFileSync(gpg.folder.join("public.gpg"));
    const secret = readFileSync(gpg.folder.join("secret.gpg"));
    const [, signature = ""] = /(-----BEGIN PGP SIGNATURE-----[^]*)/.exec(byUs(named(secrets, "rsa2048"), TEXT)) ?? [];
    const packet = readArmor("PGP SIGNATURE", signature.trimEnd());
    const change = fc.record({
      at: fc.nat(),
      by: fc.integer({ min: 1, max: 255 }),
      cut: fc.option(fc.nat(), { freq: 4 }),
    });
    const changed = (all: Buffer, { at, by, cut }: { at: number; by: number; cut: number | null }): Buffer => {
      const copy = Buffer.from(cut === null ? all : all.subarray(0, cut % all.length));
      if (copy.length > 0) copy[at % copy.length] = (copy[at % copy.length] ?? 0) ^ by;
      return copy;
    };
    const refused = (work: () => unknown): void => {
      try {
        work();
      } catch (error) {
        ok(error instanceof BoxshipError && error.name !== "Internal", String((error as Error).stack));
      }
    };
    const started = performance.now();
    fc.assert(
      fc.property(change, (one) => {
        const body = changed(packet, one);
        const message = `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${TEXT.replace(/^-/gm, "- -")}${writeArmor("PGP SIGNATURE", body)}`;
        refused(() => {
          // What is not hashed may be another: then it is the same signature.
          const { key } = verified(message);
          equal(key.fingerprint, fingerprints.get("rsa2048"));
        });
        refused(() => readKeyring(changed(bytes, one), "k").map((found) => signingKey(found, new Date())));
        refused(() => readKeyring(changed(secret, one), "k").map((found) => byUs(found, TEXT)));
      }),
      { numRuns: 150 },
    );
    ok(performance.now() - started < 60_000);
    match(writeArmor("PGP SIGNATURE", packet), /^-----BEGIN/);
  });

  test("any bytes are read or refused", () => {
    const head = fc.constantFrom(0x98, 0x99, 0x88, 0xc2, 0xc6, 0xc5, 0xcd, 0xce, 0xff);
    fc.assert(
      fc.property(head, fc.uint8Array({ maxLength: 120 }), (first, rest) => {
        try {
          readKeyring(Buffer.from([first, ...rest]), "k");
        } catch (error) {
          ok(error instanceof BoxshipError, String((error as Error).stack));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
