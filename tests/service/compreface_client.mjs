// What a program does with CompreFace's own JavaScript client: node compreface_client.mjs SDK PORT KEY FOLDER
// Prints one JSON document. Its collections hold an address that each call may lengthen, so each is taken once.

const [sdk, port, key, folder] = process.argv.slice(2);
console.log = () => {}; // the client prints addresses
process.chdir(folder);
const { CompreFace } = await import(sdk);
const client = new CompreFace("http://127.0.0.1", port, { status: "true" });
const recognition = client.initFaceRecognitionService(key);
const examples = () => recognition.getFaceCollection(), subjects = () => recognition.getSubjects();
const failure = call => call.then(() => null, error => ({ status: error.response.status, ...error.response.data }));

const told = {};
told.added = await subjects().add("Cy");
told.red = await examples().add("./red.png", "Ann");
told.green = await examples().add("./green.png", "Bob");
told.list = await examples().list();
told.recognized = await recognition.recognize("./both.png", { prediction_count: 2, limit: 0, face_plugins: "landmarks" });
told.verified = await examples().verify("./red.png", told.red.image_id, { limit: 1 });
told.detected = await client.initFaceDetectionService(key).detect("./both.png", { limit: 1 });
told.compared = await client.initFaceVerificationService(key).verify("./red.png", "./both.png", { limit: 0 });
told.several = await failure(examples().add("./both.png", "Ann"));
told.renamed = await subjects().rename("Cy", "Dan");
told.names = await subjects().list();
told.deleted = await examples().delete(told.red.image_id);
told.removed = await examples().delete_multiple_images([told.green.image_id]);
told.gone = await failure(examples().delete(told.red.image_id));
told.person = await subjects().delete("Dan");
told.rest = await examples().delete_all();
told.all = await subjects().deleteAll();
process.stdout.write(JSON.stringify(told));
