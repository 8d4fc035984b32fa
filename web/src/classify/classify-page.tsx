export default function ClassifyPage(_: { settings: URLSearchParams }) {
  return <h1>Classify</h1>;
}
