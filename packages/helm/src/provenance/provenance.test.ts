import { deepEqual, equal, match, ok } from "node:assert/strict";
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { startRegistry, type TempDir, tempDir } from "@boxship/testkit";
import { type Ran, runHere, writeFiles } from "../testing/chart-cases.ts";
import { type GpgHome, openGpgHome } from "../testing/gpg-home.ts";

describe("charts that are signed", () => {
  const stack = new AsyncDisposableStack();
  let gpg: GpgHome;
  let home: TempDir;
  let keys = "";
  let secrets = "";
  before(async () => {
    home = stack.use(tempDir("helm"));
    gpg = stack.use(await openGpgHome());
    for (const name of ["ann", "ben"]) await gpg.makeKey(name, "ed25519");
    await gpg.makeKey("cat", "rsa2048", { passphrase: "miau" });
    keys = await gpg.exported("pub.gpg", false, ["ann@example.com", "cat@example.com"]);
    secrets = await gpg.exported("sec.gpg", true, ["ann@example.com", "ben@example.com"]);
    writeFiles(
      home.path,
      new Map([
        ["web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0+build\ndescription: '- dashes'\n"],
        ["web/templates/a.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n"],
      ]),
    );
  });
  after(() => stack.disposeAsync());

  const helm = (line: string, input = ""): Promise<Ran> => runHere(line.split(" "), { HOME: home.path }, { input });
  const done = async (line: string, input = ""): Promise<string> => {
    const { status, stdout, stderr } = await helm(line, input);
    equal(status, 0, `${line}: ${stderr}`);
    return stdout;
  };
  const archive = () => home.join("web-1.0.0+build.tgz");

  test("a packed chart is signed and verified, here and by GnuPG", async () => {
    await done(`package ${home.join("web")} -d ${home.path} --sign --key ann --keyring ${secrets}`);
    const text = readFileSync(`${archive()}.prov`, "utf8");
    match(
      text,
      /^-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\napiVersion: v2\n[^]*\n\n\.\.\.\nfiles:\n {2}web-1\.0\.0\+build\.tgz: sha256:[\da-f]{64}\n-----BEGIN PGP SIGNATURE-----\n/,
    );
    const { status, stderr } = await gpg.run("--verify", `${archive()}.prov`);
    deepEqual([status, /Good signature from "ann/.test(stderr)], [0, true], stderr);
    match(
      await done(`verify ${archive()} --keyring ${keys}`),
      /^Signed by: ann <ann@example\.com>\nUsing Key With Fingerprint: [\dA-F]{40}\nChart Hash Verified: sha256:[\da-f]{64}\n$/,
    );
    const shown = await helm(`template r ${archive()} --verify --keyring ${keys}`);
    deepEqual([shown.status, /Signed by: ann/.test(shown.stderr)], [0, true], shown.stderr);
  });

  test("a file that GnuPG has signed is verified; what is other is refused", async () => {
    const mine = home.join("by-gpg.tgz");
    copyFileSync(archive(), mine);
    const body =
      readFileSync(`${archive()}.prov`, "utf8").split("-----BEGIN PGP SIGNATURE")[0]?.split("SHA512\n\n")[1] ?? "";
    writeFileSync(home.join("body"), body.replace("web-1.0.0+build.tgz", "by-gpg.tgz"));
    const sign = (who: string) =>
      gpg.done("--output", `${mine}.prov`, "-u", `${who}@example.com`, "--clearsign", home.join("body"));
    await sign("ann");
    match(await done(`verify ${mine} --keyring ${keys}`), /Signed by: ann/);
    match((await helm(`verify ${home.join("web")} --keyring ${keys}`)).stderr, /unpacked charts cannot be verified/);
    match((await helm(`verify ${mine} --keyring ${home.join("none")}`)).stderr, /there is no keyring at/);
    match((await helm(`verify ${mine}`)).stderr, /no keyring at .*\.gnupg\/pubring\.gpg/);
    copyFileSync(mine, home.join("other.tgz"));
    copyFileSync(`${mine}.prov`, home.join("other.tgz.prov"));
    match(
      (await helm(`verify ${home.join("other.tgz")} --keyring ${keys}`)).stderr,
      /does not contain a SHA for a file named "other\.tgz"/,
    );
    await sign("ben");
    match(
      (await helm(`install r ${mine} --verify --keyring ${keys}`)).stderr,
      /signed by key [\dA-F]{40}, which is not in the keyring/,
    );
    await sign("ann");
    writeFileSync(mine, "changed");
    match((await helm(`verify ${mine} --keyring ${keys}`)).stderr, /sha256 sum does not match for by-gpg\.tgz/);
    const text = readFileSync(`${mine}.prov`, "utf8");
    writeFileSync(`${mine}.prov`, text.replace("name: web", "name: wed"));
    match((await helm(`verify ${mine} --keyring ${keys}`)).stderr, /does not hold: the text is another/);
  });

  test("a key is chosen by name or number, and unlocked by a passphrase", async () => {
    const words = `package ${home.join("web")} -d ${home.join("more")} --sign --keyring ${secrets}`;
    match((await helm(`${words} --key example.com`)).stderr, /more than one key contain the id "example\.com"/);
    match((await helm(`${words} --key dan`)).stderr, /no secret key for "dan"/);
    match((await helm(words)).stderr, /--key is required/);
    ok(!existsSync(home.join("more/web-1.0.0+build.tgz")));
    const locked = await gpg.exported("cat.gpg", true, ["cat@example.com"], "miau");
    const cat = `package ${home.join("web")} -d ${home.join("more")} --sign --keyring ${locked} --key cat`;
    match((await helm(cat)).stderr, /locked by a passphrase\nHint: give it by --passphrase-file/);
    match((await helm(`${cat} --passphrase-file -`, "wau\n")).stderr, /passphrase does not unlock/);
    await done(`${cat} --passphrase-file -`, "miau\n");
    match(await done(`verify ${home.join("more/web-1.0.0+build.tgz")} --keyring ${keys}`), /Signed by: cat/);
  });

  test("signatures go to a registry and come back with the chart", async () => {
    await using registry = await startRegistry();
    await done(`push ${archive()} oci://${registry.host}/charts`);
    const address = `oci://${registry.host}/charts/web --version 1.0.0+build`;
    const pulled = await helm(`pull ${address} -d ${home.join("back")} --verify --keyring ${keys}`);
    deepEqual([pulled.status, /Signed by: ann/.test(pulled.stderr)], [0, true], pulled.stderr);
    for (const end of ["", ".prov"]) {
      deepEqual(readFileSync(home.join(`back/web-1.0.0+build.tgz${end}`)), readFileSync(`${archive()}${end}`));
    }
    const foreign = await gpg.exported("ben.gpg", false, ["ben@example.com"]);
    match((await helm(`template r ${address} --verify --keyring ${foreign}`)).stderr, /not in the keyring/);
    await done(`package ${home.join("web")} -d ${home.join("plain")} --version 2.0.0`);
    await done(`push ${home.join("plain/web-2.0.0.tgz")} oci://${registry.host}/charts`);
    match(
      (await helm(`pull oci://${registry.host}/charts/web --version 2.0.0 --prov -d ${home.path}`)).stderr,
      /no provenance file/,
    );
    match(
      (await helm(`pull oci://${registry.host}/charts/web --version 2.0.0 --verify -d ${home.path}`)).stderr,
      /no provenance file/,
    );
  });
});
