// Image classification with a network that rnc compiled, in C++17.
//
//     rnc -o resnet50.o --weights resnet50.safetensors resnet50.rn
//     c++ -std=c++17 -DNET=resnet50 classify.cpp resnet50.o $(pkg-config --cflags --libs rn) -o classify
//     ./classify resnet50.rnw labels.txt cat.jpg dog.png        ("-" for labels.txt: numbers only)
//
// The emitted header is C++ as it stands; the classes here only tie its objects to scopes.
#ifndef NET
#error "compile with -DNET=NAME, the network's name"
#endif
#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#include TEXT(NET.h)

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Weights = std::unique_ptr<rn_weights, decltype(&rn_weights_close)>;

Weights open_weights(const std::string &path) {
    char error[RN_ERROR_SIZE];
    rn_weights *weights = nullptr;
    if (rn_weights_open(&weights, JOIN(NET, model)(), path.c_str(), error, sizeof error))
        throw std::runtime_error(error);
    return Weights(weights, rn_weights_close);
}

class Image {
  public:
    explicit Image(const std::string &path) {
        char error[RN_ERROR_SIZE];
        if (rn_image_read(&image_, path.c_str(), error, sizeof error)) throw std::runtime_error(error);
    }
    ~Image() { rn_image_free(&image_); }
    Image(const Image &) = delete;
    Image &operator=(const Image &) = delete;
    const rn_image &get() const { return image_; }

  private:
    rn_image image_{};
};

class Network {
  public:
    Network(const rn_weights *weights, int threads) : output_(model().output_size) {
        char error[RN_ERROR_SIZE];
        rn_options options{};
        options.threads = threads;
        options.error = error;
        options.error_size = sizeof error;
        NET *net = nullptr;
        if (JOIN(NET, create)(&net, nullptr, 0, weights, &options)) throw std::runtime_error(error);
        net_.reset(net);
    }
    static const rn_model &model() { return *JOIN(NET, model)(); }

    // Probabilities of the classes
    std::vector<float> classify(const rn_image &image) {
        const uint8_t *rgb[] = {image.rgb};
        if (JOIN(NET, run_rgb)(net_.get(), 1, rgb, &image.height, &image.width, output_.data()))
            throw std::runtime_error(JOIN(NET, message)(net_.get()));
        std::vector<float> p(output_.end() - model().outputs[model().output_count - 1].shape.c, output_.end());
        if (!model().probabilities) {
            const float largest = *std::max_element(p.begin(), p.end());
            for (float &x : p) x = std::exp(x - largest);
            const float sum = std::accumulate(p.begin(), p.end(), 0.0f);
            for (float &x : p) x /= sum;
        }
        return p;
    }

  private:
    struct Destroy {
        void operator()(NET *net) const { JOIN(NET, destroy)(net); }
    };
    std::unique_ptr<NET, Destroy> net_;
    std::vector<float> output_;
};

std::vector<std::string> read_labels(const std::string &path) {
    std::vector<std::string> labels;
    if (path == "-") return labels;
    std::ifstream file(path);
    if (!file) throw std::runtime_error(path + ": cannot open");
    for (std::string line; std::getline(file, line);) labels.push_back(line);
    if (!labels.empty() && labels[0].rfind("\xef\xbb\xbf", 0) == 0) labels[0].erase(0, 3); // a byte order mark
    return labels;
}

void print_top(const std::vector<float> &p, const std::vector<std::string> &labels) {
    std::vector<size_t> order(p.size());
    std::iota(order.begin(), order.end(), 0);
    const size_t top = std::min<size_t>(5, p.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(top), order.end(),
                      [&](size_t a, size_t b) { return p[a] != p[b] ? p[a] > p[b] : a < b; });
    for (size_t i = 0; i < top; i++)
        std::printf("  %6.2f %%  %4zu  %s\n", 100.0 * p[order[i]], order[i],
                    order[i] < labels.size() ? labels[order[i]].c_str() : "");
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: classify WEIGHTS LABELS|- IMAGE...\n");
        return 2;
    }
    int status = 0;
    try {
        const std::vector<std::string> labels = read_labels(argv[2]);
        const Weights weights = open_weights(argv[1]);
        Network net(weights.get(), 1);
        for (int i = 3; i < argc; i++) {
            try {
                const Image image(argv[i]);
                const std::vector<float> p = net.classify(image.get());
                std::printf("%s\n", argv[i]);
                print_top(p, labels);
            } catch (const std::exception &e) {
                std::fprintf(stderr, "classify: %s\n", e.what());
                status = 1;
            }
        }
    } catch (const std::exception &e) {
        std::fprintf(stderr, "classify: %s\n", e.what());
        status = 1;
    }
    return status;
}
