// cos-nodejs-sdk-v5 against a local COS: prints one line of JSON for every operation.
// Arguments: folder that has node_modules, port, "Ip" or "Proxy", bucket, region, secret id, secret key.
const [root, port, way, Bucket, Region, SecretId, SecretKey] = process.argv.slice(2);
const load = require("module").createRequire(root + "/");
const COS = load("cos-nodejs-sdk-v5");
const http = require("http");
const fs = require("fs");
const os = require("os");
const path = require("path");

const at = way === "Ip" ? { Ip: `127.0.0.1:${port}` } : { Proxy: `http://127.0.0.1:${port}` };
const cos = new COS({ SecretId, SecretKey, Protocol: "http:", ...at });
const call = (name, more) => new Promise((done, fail) =>
  cos[name]({ Bucket, Region, ...more }, (error, data) => (error ? fail(error) : done(data))));
const refused = (name, more) => call(name, more).then(() => "accepted", (error) => error.code);
const equal = (is, should) => { if (is !== should) throw new Error(`${is} is not ${should}`); };

function fetchUrl(url) {
  const { host, pathname, search } = new URL(url);
  const options = { host: "127.0.0.1", port, path: pathname + search, headers: { Host: host } };
  return new Promise((done, fail) => http.get(options, (answer) => {
    let text = "";
    answer.on("data", (part) => { text += part; }).on("end", () => done(text));
  }).on("error", fail));
}

const operations = {
  "putObject, headObject, getObject": async () => {
    await call("putObject", { Key: "node/中 a.txt", Body: "hello", Headers: { "x-cos-meta-order": "42" } });
    equal((await call("headObject", { Key: "node/中 a.txt" })).headers["x-cos-meta-order"], "42");
    equal((await call("getObject", { Key: "node/中 a.txt" })).Body.toString(), "hello");
    equal(await refused("getObject", { Key: "none" }), "NoSuchKey");
  },
  "appendObject": async () => {
    const first = await call("appendObject", { Key: "node/log", Position: 0, Body: "ab" });
    equal(first.headers["x-cos-next-append-position"], "2");
    equal(await refused("appendObject", { Key: "node/log", Position: 0, Body: "ab" }), "AppendPositionErr");
  },
  "x-cos-forbid-overwrite": async () => {
    const Headers = { "x-cos-forbid-overwrite": "true" };
    equal(await refused("putObject", { Key: "node/中 a.txt", Body: "2", Headers }), "FileAlreadyExists");
  },
  "getBucket (list)": async () => {
    const listed = await call("getBucket", { Prefix: "node/" });
    equal(listed.Contents.map((one) => one.Key).join(), "node/log,node/中 a.txt");
  },
  "sliceUploadFile (multipart)": async () => {
    const FilePath = path.join(os.tmpdir(), `localcloud-node-${process.pid}`);
    fs.writeFileSync(FilePath, Buffer.alloc(3500000, "z"));
    try {
      await call("sliceUploadFile", { Key: "node/big", FilePath, SliceSize: 1048576, ChunkSize: 1048576 });
      equal((await call("headObject", { Key: "node/big" })).headers["content-length"], "3500000");
    } finally { fs.unlinkSync(FilePath); }
  },
  "putObjectCopy": async () => {
    await call("putObjectCopy", { Key: "node/copy", CopySource: `${Bucket}.cos.${Region}.myqcloud.com/node/log2` })
      .then(() => { throw new Error("copied nothing"); }, (error) => equal(error.code, "NoSuchKey"));
    await call("putObjectCopy", { Key: "node/copy", CopySource: `${Bucket}.cos.${Region}.myqcloud.com/node/big` });
  },
  "getObjectUrl (pre-signed)": async () => {
    const url = cos.getObjectUrl({ Bucket, Region, Key: "node/中 a.txt", Sign: true, Protocol: "http:" });
    equal(await fetchUrl(url.replace(/^http:\/\/127\.0\.0\.1:\d+/, `http://${Bucket}.cos.${Region}.myqcloud.com`)), "hello");
  },
  "object and bucket tagging": async () => {
    const Tags = [{ Key: "k", Value: "v" }];
    await call("putObjectTagging", { Key: "node/log", Tags });
    equal(JSON.stringify((await call("getObjectTagging", { Key: "node/log" })).Tags), JSON.stringify(Tags));
    await call("putBucketTagging", { Tags });
    equal(JSON.stringify((await call("getBucketTagging", {})).Tags), JSON.stringify(Tags));
  },
  "deleteMultipleObject": async () => {
    const Objects = ["node/log", "node/copy", "node/big", "node/中 a.txt"].map((Key) => ({ Key }));
    equal((await call("deleteMultipleObject", { Objects })).Deleted.length, 4);
    equal((await call("getBucket", { Prefix: "node/" })).Contents.length, 0);
  },
  "versioning": async () => {
    const own = { Bucket: `node-${way.toLowerCase()}-1250000000` };
    await call("putBucket", own);
    await call("putBucketVersioning", { ...own, VersioningConfiguration: { Status: "Enabled" } });
    const first = (await call("putObject", { ...own, Key: "k", Body: "1" })).headers["x-cos-version-id"];
    await call("putObject", { ...own, Key: "k", Body: "2" });
    await call("deleteObject", { ...own, Key: "k" });
    equal((await call("getObject", { ...own, Key: "k", VersionId: first })).Body.toString(), "1");
    const listed = await call("listObjectVersions", own);
    equal(`${listed.Versions.length} ${listed.DeleteMarkers.length}`, "2 1");
  },
};

(async () => {
  console.log(JSON.stringify({ version: load("cos-nodejs-sdk-v5/package.json").version }));
  for (const [name, run] of Object.entries(operations)) {
    try {
      await run();
      console.log(JSON.stringify({ name, passed: true }));
    } catch (error) {
      console.log(JSON.stringify({ name, passed: false, error: String(error.stack || JSON.stringify(error)) }));
    }
  }
})();
