#include "convert.h"

#include <ATen/ops/from_blob.h>

#include <cstring>

#include "dtypes.h"

namespace inception {

namespace {

std::string text(const Napi::Object& object, const char* key) { return object.Get(key).ToString().Utf8Value(); }

template <typename T>
std::vector<T> numbers(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<T> result;
  result.reserve(array.Length());
  for (uint32_t index = 0; index < array.Length(); index++) {
    result.push_back(static_cast<T>(array.Get(index).ToNumber().DoubleValue()));
  }
  return result;
}

template <typename T, typename Convert>
std::vector<T> list(const Napi::Value& value, Convert convert) {
  const auto array = value.As<Napi::Array>();
  std::vector<T> result;
  result.reserve(array.Length());
  for (uint32_t index = 0; index < array.Length(); index++) {
    // A program has thousands of small objects: without a scope their handles would pile up.
    Napi::HandleScope scope(value.Env());
    result.push_back(convert(array.Get(index)));
  }
  return result;
}

Argument toArgument(const Napi::Value& value) {
  Argument result;
  if (value.IsNull() || value.IsUndefined()) return result;
  if (value.IsBoolean()) {
    result.kind = ArgumentKind::boolean;
    result.number = value.As<Napi::Boolean>().Value() ? 1 : 0;
  } else if (value.IsNumber()) {
    result.kind = ArgumentKind::number;
    result.number = value.As<Napi::Number>().DoubleValue();
  } else if (value.IsArray()) {
    const auto array = value.As<Napi::Array>();
    const bool booleans = array.Length() > 0 && array.Get(0u).IsBoolean();
    result.kind = booleans ? ArgumentKind::booleans : ArgumentKind::numbers;
    result.numbers = numbers<double>(value);
  } else {
    const auto object = value.As<Napi::Object>();
    if (object.Has("slot")) {
      result.kind = ArgumentKind::slot;
      result.number = object.Get("slot").ToNumber().DoubleValue();
    } else if (object.Has("slots")) {
      result.kind = ArgumentKind::slots;
      result.numbers = numbers<double>(object.Get("slots"));
    } else if (object.Has("dtype")) {
      result.kind = ArgumentKind::dtype;
      result.text = text(object, "dtype");
    } else if (object.Has("memoryFormat")) {
      result.kind = ArgumentKind::memoryFormat;
      result.text = text(object, "memoryFormat");
    } else {
      result.kind = object.Has("device") ? ArgumentKind::device : ArgumentKind::generator;
    }
  }
  return result;
}

Step toStep(const Napi::Value& value) {
  const auto object = value.As<Napi::Object>();
  const std::string kind = text(object, "do");
  Step step;
  if (kind == "call") {
    step.name = text(object, "operator");
    step.layer = text(object, "layer");
    step.arguments = list<Argument>(object.Get("args"), toArgument);
    if (object.Has("named")) {
      const auto named = object.Get("named").As<Napi::Object>();
      const auto keys = named.GetPropertyNames();
      for (uint32_t index = 0; index < keys.Length(); index++) {
        const auto key = keys.Get(index).ToString().Utf8Value();
        step.named.emplace_back(key, toArgument(named.Get(key)));
      }
    }
    step.slots = list<int>(object.Get("to"), [](const Napi::Value& slot) {
      return slot.IsNull() ? -1 : slot.ToNumber().Int32Value();
    });
  } else if (kind == "free") {
    step.kind = StepKind::free;
    step.slots = numbers<int>(object.Get("slots"));
  } else {
    const bool reads = kind == "store" || kind == "output";
    step.kind = kind == "load" ? StepKind::load : kind == "store" ? StepKind::store : kind == "input" ? StepKind::input : StepKind::output;
    step.name = text(object, "name");
    step.slots = {object.Get(reads ? "from" : "to").ToNumber().Int32Value()};
  }
  return step;
}

}  // namespace

Program toProgram(const Napi::Object& object) {
  Program program;
  program.name = text(object, "name");
  program.slots = object.Get("slots").ToNumber().Int32Value();
  program.inputs = list<ProgramInput>(object.Get("inputs"), [](const Napi::Value& value) {
    const auto input = value.As<Napi::Object>();
    return ProgramInput{text(input, "name"), text(input, "dtype"), numbers<int64_t>(input.Get("shape"))};
  });
  program.steps = list<Step>(object.Get("steps"), toStep);
  return program;
}

StoreSpec toStoreSpec(const Napi::Object& object) {
  StoreSpec spec;
  spec.tensors = list<TensorSpec>(object.Get("tensors"), [](const Napi::Value& value) {
    const auto tensor = value.As<Napi::Object>();
    const double fill = tensor.Has("fill") ? tensor.Get("fill").ToNumber().DoubleValue() : 0;
    return TensorSpec{text(tensor, "name"), text(tensor, "dtype"), numbers<int64_t>(tensor.Get("shape")), fill};
  });
  spec.views = list<ViewSpec>(object.Get("views"), [](const Napi::Value& value) {
    const auto view = value.As<Napi::Object>();
    return ViewSpec{text(view, "name"), text(view, "of"), numbers<int64_t>(view.Get("shape")),
                    numbers<int64_t>(view.Get("strides")), view.Get("offset").ToNumber().Int64Value()};
  });
  return spec;
}

GroupSpec toGroupSpec(const Napi::Object& object) {
  GroupSpec spec;
  spec.rank = object.Get("rank").ToNumber().Int32Value();
  spec.size = object.Get("size").ToNumber().Int32Value();
  spec.host = text(object, "host");
  spec.port = static_cast<uint16_t>(object.Get("port").ToNumber().Uint32Value());
  spec.address = text(object, "address");
  if (object.Has("interface")) spec.networkInterface = text(object, "interface");
  return spec;
}

at::Tensor toTensor(const Napi::TypedArray& array, const std::string& dtype, const std::vector<int64_t>& shape) {
  char* data = static_cast<char*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  return at::from_blob(data, shape, at::TensorOptions().dtype(scalarType(dtype)));
}

Napi::Object toHostTensor(Napi::Env env, const at::Tensor& tensor) {
  auto buffer = Napi::ArrayBuffer::New(env, tensor.nbytes());
  std::memcpy(buffer.Data(), tensor.data_ptr(), tensor.nbytes());
  const auto count = static_cast<size_t>(tensor.numel());
  auto shape = Napi::Array::New(env, tensor.dim());
  for (uint32_t axis = 0; axis < tensor.dim(); axis++) shape.Set(axis, static_cast<double>(tensor.size(axis)));
  auto result = Napi::Object::New(env);
  result.Set("dtype", dtypeName(tensor.scalar_type()));
  result.Set("shape", shape);
  switch (tensor.scalar_type()) {
    case at::kFloat:
      result.Set("data", Napi::Float32Array::New(env, count, buffer, 0));
      break;
    case at::kBFloat16:
      result.Set("data", Napi::Uint16Array::New(env, count, buffer, 0));
      break;
    case at::kLong:
      result.Set("data", Napi::BigInt64Array::New(env, count, buffer, 0));
      break;
    default:
      result.Set("data", Napi::Uint8Array::New(env, count, buffer, 0));
  }
  return result;
}

}  // namespace inception
